"""Fixity checks, the sweeps that made them, holds that need attention, and issued certificates."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Identified, one_of


class SweepKind(StrEnum):
    """``nightly`` sweeps re-read what is due, ``complete`` ones all that a user asked for.

    That is a whole location for ``streamweave verify``, and the copies of some files for ``streamweave certify``.
    """

    NIGHTLY = "nightly"
    COMPLETE = "complete"


class FixityOutcome(StrEnum):
    """What a re-reading found."""

    INTACT = "intact"
    DAMAGED = "damaged"  # other bytes than were archived
    MISSING = "missing"  # its location is there, and nothing exists under its name
    UNREADABLE = "unreadable"  # it can't be read, again and again, while other files of the location can


class FixitySweep(Identified, Base):
    """One process that re-reads copies of one storage location. Its counts are written with each batch."""

    __tablename__ = "fixity_sweeps"

    storage_location_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("storage_locations.id"))
    kind: Mapped[str] = mapped_column(default=SweepKind.NIGHTLY)
    dagster_run_id: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column()
    finished_at: Mapped[datetime | None]
    files: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(default=0)
    damaged: Mapped[int] = mapped_column(default=0, comment="damaged, missing and unreadable copies among the files")
    trouble: Mapped[str | None] = mapped_column(comment="why it ended early, or what it could not keep up with")

    __table_args__ = (
        one_of("kind", SweepKind),
        Index("ix_fixity_sweeps_started_at", started_at.desc(), text("id DESC")),
        Index("ix_fixity_sweeps_storage_location_id", storage_location_id, started_at.desc()),
    )


class FixityCheck(Identified, Base):
    """One re-reading of one copy. It can't be changed afterwards.

    There is no foreign key: what a check speaks of may be gone, the check stays as it is.
    """

    __tablename__ = "fixity_checks"

    sweep_id: Mapped[uuid.UUID]
    transfer_id: Mapped[uuid.UUID]
    file_id: Mapped[uuid.UUID] = mapped_column()
    storage_location_id: Mapped[uuid.UUID]
    checked_at: Mapped[datetime] = mapped_column()
    outcome: Mapped[str] = mapped_column()
    found: Mapped[str | None] = mapped_column(comment="what is wrong; null for an intact copy")

    __table_args__ = (
        one_of("outcome", FixityOutcome),
        CheckConstraint("(outcome = 'intact') = (found IS NULL)", name="damage_is_described"),
        Index("ix_fixity_checks_file_id", file_id, checked_at.desc(), text("id DESC")),
    )


class FixityHold(Identified, Base):
    """So much of a storage location was found damaged that nothing is concluded or repaired until a person says so."""

    __tablename__ = "fixity_holds"

    storage_location_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("storage_locations.id"))
    sweep_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("fixity_sweeps.id"))
    held_at: Mapped[datetime] = mapped_column()
    because: Mapped[str]
    released_at: Mapped[datetime | None] = mapped_column()
    released_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    __table_args__ = (
        Index("ix_fixity_holds_held_at", held_at.desc(), text("id DESC")),
        Index("uq_fixity_holds_open", storage_location_id, unique=True, postgresql_where=text("released_at IS NULL")),
        Index("ix_fixity_holds_storage_location_id", storage_location_id, released_at),
        Index("ix_fixity_holds_sweep_id", sweep_id),
        Index("ix_fixity_holds_released_by_id", released_by_id, postgresql_where=text("released_by_id IS NOT NULL")),
    )


class IssuedCertificate(Identified, Base):
    """One certificate, by its digest. It can't be changed or removed afterwards.

    There are no foreign keys: what a certificate speaks of may be gone, the entry stays as it is.
    """

    __tablename__ = "certificates"

    issued_at: Mapped[datetime] = mapped_column()
    issued_to: Mapped[str] = mapped_column(comment="who asked: a mail address, or an account of the machine")
    instrument_id: Mapped[uuid.UUID] = mapped_column()
    file_id: Mapped[uuid.UUID | None] = mapped_column(comment="null: a folder, or the whole instrument")
    path: Mapped[str | None] = mapped_column(comment="the file or folder; null: the whole instrument")
    rules: Mapped[str] = mapped_column(comment="the version of the rules it was judged by")
    verdict: Mapped[str]
    files: Mapped[int] = mapped_column(comment="that it speaks of")
    files_safe: Mapped[int]
    sha256: Mapped[str] = mapped_column(comment="of the certificate as canonical JSON")
    signed_by: Mapped[str | None] = mapped_column(comment="the id of the key; null: it is not signed")
    state_sha256: Mapped[str | None] = mapped_column(
        comment="of what it says, whenever that is said; null: from before this was kept"
    )
    content: Mapped[bytes | None] = mapped_column(
        comment="the certificate as canonical JSON; null: from before it was kept"
    )

    __table_args__ = (
        Index("ix_certificates_issued_at", issued_at.desc(), text("id DESC")),
        Index("ix_certificates_instrument_id", instrument_id, issued_at.desc(), text("id DESC")),
    )
