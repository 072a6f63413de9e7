"""Versions: one content of a file record, and where it stands on its way into the archive."""

import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from streamweave.catalog.tables.base import Base, Identified, one_of
from streamweave.catalog.tables.file_records import FileRecord


class VersionState(StrEnum):
    """Where a version stands. Each state comes with a reason and the time since when."""

    SETTLING = "settling"  # the instrument may still be writing
    OVERDUE = "overdue"  # not finished after the maximum wait, or changed in each copy: a person is told; watched on
    SETTLED = "settled"  # finished; the filter has yet to decide
    PENDING = "pending"  # it has transfers that are waiting, under way, or to be tried again
    SKIPPED = "skipped"  # a hook decided against it; decided anew when the hooks change
    ARCHIVED = "archived"  # proven and catalogued in every storage location it was meant for (or could still reach)
    UNCHANGED = "unchanged"  # touched at the source, but its content is that of an archived version
    FAILED = "failed"  # attempts are used up, or it can't work: a person is needed
    VANISHED = "vanished"  # gone from the source before it was archived
    SUPERSEDED = "superseded"  # it changed at the source before every storage location had it
    UNREADABLE = "unreadable"  # its name can't be asked for


WATCHED = (VersionState.SETTLING, VersionState.OVERDUE)
DONE = (VersionState.ARCHIVED, VersionState.UNCHANGED)
IS_DONE = "is_newest AND state IN ('archived', 'unchanged')"
NOT_ENRICHED = "is_newest AND enrichment_error IS NOT NULL"
NOT_DECIDED = "is_newest AND state = 'settled' AND retry_at IS NOT NULL"


class FileVersion(Identified, Base):
    """One content of a file record.

    ``instrument_id`` and ``first_discovered_at`` repeat the record's, for the indexes; the database fills in the latter
    where it isn't given.
    """

    __tablename__ = "file_versions"

    file_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_records.id", ondelete="CASCADE"))
    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id"))
    first_discovered_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    number: Mapped[int]
    is_newest: Mapped[bool] = mapped_column(default=True)
    size_bytes: Mapped[int]
    source_mtime: Mapped[datetime]
    acquisition_day: Mapped[date] = mapped_column()
    clock_skew_seconds: Mapped[float | None] = mapped_column(
        comment="how far the mtime lay ahead of our clock, or before the first acquisition day (negative)"
    )
    xxhash: Mapped[str | None] = mapped_column(comment="XXH64 with seed 0, 16 hexadecimal digits")
    sha256: Mapped[str | None] = mapped_column(comment="64 hexadecimal digits")

    state: Mapped[str] = mapped_column(default=VersionState.SETTLING)
    reason: Mapped[str] = mapped_column(default="")
    state_since: Mapped[datetime] = mapped_column()
    discovered_at: Mapped[datetime]
    unchanged_since: Mapped[datetime] = mapped_column(comment="our first look at the present size and mtime")
    observed_at: Mapped[datetime] = mapped_column(comment="our last look")
    failures: Mapped[int] = mapped_column(default=0, comment="failed attempts since it settled")
    retry_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    unfinished: Mapped[str | None] = mapped_column(
        comment="why it goes into the archive though the instrument may not have finished it; null: it had"
    )
    found_by_rereading: Mapped[bool] = mapped_column(
        default=False, comment="its size and mtime are those of the version before; only its content differs"
    )
    source_reread_at: Mapped[datetime | None] = mapped_column(
        comment="when the source was last to be read again, whatever came of it"
    )
    source_verified_at: Mapped[datetime | None] = mapped_column(
        comment="when the source was last read again and had the archived content"
    )

    decided_hooks: Mapped[str | None] = mapped_column(comment="fingerprint of the pre hooks that decided")
    decided_destinations: Mapped[str | None] = mapped_column(comment="fingerprint of the destinations decided for")
    redirected: Mapped[bool] = mapped_column(default=False)
    enriched_hooks: Mapped[str | None] = mapped_column(comment="fingerprint of the post hooks that enriched")
    enrichment_error: Mapped[str | None]
    # of hooks that call out, before or after the transfer
    hook_failures: Mapped[int] = mapped_column(default=0, server_default=text("0"), comment="of one hook, in a row")
    failing_hook_id: Mapped[uuid.UUID | None]
    failing_hooks: Mapped[str | None] = mapped_column(comment="fingerprint of the hooks of which one failed")
    hook_retry_at: Mapped[datetime | None] = mapped_column(comment="these hooks are not asked before")

    file: Mapped[FileRecord] = relationship()

    __table_args__ = (
        one_of("state", VersionState),
        UniqueConstraint("file_id", "number"),
        CheckConstraint("number >= 1", name="number_is_positive"),
        CheckConstraint("state != 'archived' OR sha256 IS NOT NULL", name="archived_is_proven"),
        Index("uq_file_versions_newest", file_id, unique=True, postgresql_where=text("is_newest")),
        Index(
            "uq_file_versions_content",
            file_id,
            sha256,
            unique=True,
            postgresql_where=text("sha256 IS NOT NULL AND state <> 'unchanged'"),
        ),
        Index(
            "ix_file_versions_newest_state",
            state,
            first_discovered_at.desc(),
            text("file_id DESC"),
            postgresql_where=text("is_newest"),
            postgresql_include=["state_since"],
        ),
        Index(
            "ix_file_versions_newest_day",
            acquisition_day,
            instrument_id,
            postgresql_where=text("is_newest"),
            postgresql_include=["size_bytes"],
        ),
        Index("ix_file_versions_instrument_state_day", instrument_id, state, acquisition_day),
        # what stands under other fingerprints than today's, among all that is done
        Index(
            "ix_file_versions_decided_destinations", instrument_id, decided_destinations, postgresql_where=text(IS_DONE)
        ),
        Index("ix_file_versions_enriched_hooks", instrument_id, enriched_hooks, postgresql_where=text(IS_DONE)),
        Index(
            "ix_file_versions_hook_retry_at",
            instrument_id,
            hook_retry_at,
            postgresql_where=text("hook_retry_at IS NOT NULL"),
        ),
        # what hooks can't cope with, for alerts: few rows among all
        Index("ix_file_versions_enrichment_error", instrument_id, postgresql_where=text(NOT_ENRICHED)),
        Index("ix_file_versions_undecided", instrument_id, postgresql_where=text(NOT_DECIDED)),
        # whose turn it is to be read again at the source
        Index(
            "ix_file_versions_rereading",
            instrument_id,
            func.coalesce(source_reread_at, state_since),
            postgresql_where=text(IS_DONE),
        ),
    )
