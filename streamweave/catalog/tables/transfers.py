"""Transfers: attempts to archive one version in one storage location."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from streamweave.catalog.tables.base import Base, Identified, one_of
from streamweave.catalog.tables.file_versions import FileVersion
from streamweave.catalog.tables.harvest_runs import HarvestRun
from streamweave.catalog.tables.storage_locations import StorageLocation


class TransferStatus(StrEnum):
    """``in_progress`` is a claim: it belongs to one harvest run, and is free again when that run has died.

    ``damaged`` was completed, and its copy was found damaged, missing or unreadable since: a further transfer to
    another path repairs it, and what stands under the old one is evidence.
    """

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    DAMAGED = "damaged"


LIVE = (TransferStatus.PENDING, TransferStatus.IN_PROGRESS, TransferStatus.COMPLETED)
"""A version has no more than one of them in a storage location."""
ONCE_COMPLETED = (TransferStatus.COMPLETED, TransferStatus.DAMAGED)
"""The version was archived there, whatever has become of the copy since."""


class Transfer(Identified, Base):
    """One attempt. At most one per version and storage location is waiting, under way or completed."""

    __tablename__ = "file_transfers"

    file_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_records.id", ondelete="CASCADE"))
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_versions.id", ondelete="CASCADE"))
    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id"))
    storage_location_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("storage_locations.id"))
    destination_path: Mapped[str | None] = mapped_column(comment="within the storage location's base path")
    transfer_adapter: Mapped[str] = mapped_column(default="smb")
    status: Mapped[str] = mapped_column(default=TransferStatus.PENDING)
    error_kind: Mapped[str | None]
    error_message: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=1)
    run_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("harvest_runs.id", ondelete="SET NULL"))
    claim_id: Mapped[uuid.UUID | None] = mapped_column(comment="of the present claim; bytes are staged under this name")

    bytes_transferred: Mapped[int | None]
    source_checksum: Mapped[str | None] = mapped_column(comment="XXH64 of what was read from the source")
    dest_checksum: Mapped[str | None] = mapped_column(comment="XXH64 of what was read back from the destination")
    """Null of a completed one: the copy came with a disk whose journals are another storage location's."""
    checksum_verified: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column()
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    last_verified_at: Mapped[datetime | None] = mapped_column(comment="when the archived bytes were last re-read")
    damage: Mapped[str | None] = mapped_column(comment="what the last re-reading found wrong, if anything")
    damage_found_at: Mapped[datetime | None] = mapped_column(comment="when a re-reading first found it so")

    version: Mapped[FileVersion] = relationship()
    run: Mapped[HarvestRun | None] = relationship()
    storage_location: Mapped[StorageLocation] = relationship()

    __table_args__ = (
        one_of("status", TransferStatus),
        CheckConstraint("status != 'completed' OR checksum_verified", name="completed_is_verified"),
        CheckConstraint("status != 'damaged' OR damage IS NOT NULL", name="damaged_is_described"),
        CheckConstraint(
            "status != 'in_progress' OR (run_id IS NOT NULL AND claim_id IS NOT NULL)", name="claim_has_a_run"
        ),
        Index(
            "uq_file_transfers_live",
            version_id,
            storage_location_id,
            unique=True,
            postgresql_where=text("status IN ('pending', 'in_progress', 'completed')"),
        ),
        Index(
            "ix_file_transfers_waiting",
            instrument_id,
            status,
            created_at,
            "id",
            postgresql_where=text("status IN ('pending', 'in_progress')"),
        ),
        Index("ix_file_transfers_created_at", created_at.desc(), text("id DESC")),
        Index("ix_file_transfers_file_id", file_id, created_at.desc()),
        # whose turn it is to be re-read; and, over the index alone, how long ago an instrument's copies were
        Index(
            "ix_file_transfers_last_verified_at",
            storage_location_id,
            last_verified_at.asc().nulls_first(),
            "id",
            postgresql_where=text("status = 'completed'"),
            postgresql_include=["instrument_id"],
        ),
        Index(
            "ix_file_transfers_damage",
            storage_location_id,
            damage_found_at,
            postgresql_where=text("damage IS NOT NULL"),
        ),
        Index("ix_file_transfers_storage_location_id", storage_location_id),
        # what is wrong, for alerts: few rows among all
        Index("ix_file_transfers_damage_of_instrument", instrument_id, postgresql_where=text("damage IS NOT NULL")),
        Index(
            "ix_file_transfers_tried_again",
            storage_location_id,
            postgresql_where=text("status = 'pending' AND attempt > 1"),
        ),
        Index("ix_file_transfers_run_id", run_id, postgresql_where=text("status = 'in_progress'")),
    )
