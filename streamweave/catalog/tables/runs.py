"""Scans of shares, unfinished scans, harvest runs with their claims, and the leases of Dagster's runs."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Identified, one_of


class ScanOutcome(StrEnum):
    """``complete``: all was seen. ``partial``: the time budget ran out. ``suspect``: seen, but not to be believed."""

    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    SUSPECT = "suspect"
    FAILED = "failed"


NO_REASON = "the reason was not kept"
"""Of folders that scans named before reasons were kept."""


class Scan(Identified, Base):
    """One discovery attempt on one instrument."""

    __tablename__ = "scans"

    @property
    def folders_not_listed(self) -> dict[str, str]:
        """The unreadable folders that are named, or the first 1,000 of them, each with its reason."""
        return {folder: self.unlisted_reasons.get(folder, NO_REASON) for folder in self.unlisted_folders}

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id", ondelete="CASCADE"))
    dagster_run_id: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column()
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(default=ScanOutcome.RUNNING)
    error_kind: Mapped[str | None]
    error_message: Mapped[str | None]
    folders: Mapped[int] = mapped_column(default=0)
    files: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(default=0)
    new_files: Mapped[int] = mapped_column(default=0)
    changed_files: Mapped[int] = mapped_column(default=0)
    gone_files: Mapped[int] = mapped_column(default=0)
    unreadable_folders: Mapped[int] = mapped_column(default=0)
    continued: Mapped[bool] = mapped_column(default=False, comment="it went on where the last one ran out of time")
    acknowledged: Mapped[bool] = mapped_column(
        default=False, comment="it is believed because a person had said that the share was cleaned up"
    )
    covers_since: Mapped[datetime | None] = mapped_column(
        comment="when the looking began of which this is the end: of the first look, if it went on from others"
    )
    address: Mapped[str | None] = mapped_column(comment="of the folder that was looked at")
    unlisted_folders: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default="{}", comment="the unreadable folders, or the first 1,000 of them"
    )
    unlisted_reasons: Mapped[dict[str, Any]] = mapped_column(
        server_default="{}", comment="why each of the unlisted_folders could not be listed, by folder"
    )
    heartbeat_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), comment="when its process was last heard of, by the database's clock"
    )

    __table_args__ = (
        one_of("outcome", ScanOutcome),
        Index("ix_scans_instrument_id", instrument_id, started_at.desc()),
        Index("ix_scans_running", heartbeat_at, postgresql_where=text("finished_at IS NULL")),
    )


class HarvestRun(Identified, Base):
    """One process that works on one instrument. It updates ``heartbeat_at`` while it is alive."""

    __tablename__ = "harvest_runs"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id", ondelete="CASCADE"))
    dagster_run_id: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column()
    heartbeat_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    progress: Mapped[dict[str, Any] | None] = mapped_column(
        comment="how far its transfers are, as streamweave.harvest.progress.Progress tells it"
    )

    __table_args__ = (Index("ix_harvest_runs_instrument_id", instrument_id, started_at.desc()),)


class UnfinishedLook(Base):
    """What the next scan of an instrument's share need not list again. There is none after a complete scan."""

    __tablename__ = "unfinished_looks"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str] = mapped_column(comment="of the folder that was looked at")
    started_at: Mapped[datetime] = mapped_column(comment="when the first of the looks began that saw this")
    cut_short_at: Mapped[datetime]
    folders: Mapped[bytes] = mapped_column(comment="MD5 of each folder without folders that was seen, 16 bytes each")
    missing: Mapped[bytes] = mapped_column(comment="MD5 of each known path that was missing in them, 16 bytes each")
    files: Mapped[int] = mapped_column(comment="how many files stand in them")


class RunLease(Base):
    """One run of Dagster that is under way. The row is there as long as the run; both times are the database's."""

    __tablename__ = "run_leases"

    dagster_run_id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
