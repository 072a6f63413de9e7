"""Scans: every look at a share, whether it saw anything or not."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ARRAY, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Identified, one_of


class ScanOutcome(StrEnum):
    """``complete``: all was seen. ``partial``: the time budget ran out. ``suspect``: seen, but not to be believed."""

    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    SUSPECT = "suspect"
    FAILED = "failed"


class Scan(Identified, Base):
    """One discovery attempt on one instrument."""

    __tablename__ = "scans"

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

    __table_args__ = (
        one_of("outcome", ScanOutcome),
        Index("ix_scans_instrument_id", instrument_id, started_at.desc()),
    )
