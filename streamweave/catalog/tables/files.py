"""File records (one path on one instrument, with a permanent identifier), versions (one content of a record, and its
state on the way into the archive), and transfers (attempts to archive a version in a storage location).
"""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Computed,
    FetchedValue,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    cast,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.sql.elements import SQLCoreOperations

from streamweave.catalog.tables.base import Base, Identified, one_of
from streamweave.catalog.tables.instruments import Instrument
from streamweave.catalog.tables.runs import HarvestRun
from streamweave.catalog.tables.storage import StorageLocation

# What parts the words of paths and metadata; the parser of PostgreSQL would keep some of it inside of its words.
WORD_BREAKS = "/_-.<>&@+"
# Digits and letters after the last dot, unless the name begins with it.
EXTENSION = r"""lower("substring"(filename, '.\.([^.]{1,32})$'::text))"""
# A tsvector holds less than 1 MiB, and refuses more; so many characters never make it that long.
WORDS = (
    f"""to_tsvector('simple'::regconfig, "left"(translate(((source_path || ' '::text) || (metadata_)::text),"""
    f""" '{WORD_BREAKS}'::text, '{" " * len(WORD_BREAKS)}'::text), 100000))"""
)
INDEXED_PATH = 500  # characters, which fit into an index entry even at four bytes each


def digest_of(text: SQLCoreOperations[str | None]) -> ColumnElement[uuid.UUID]:
    """The MD5 of a text, for indexes: 16 bytes, however long the text is, and compared as a UUID."""
    return cast(func.md5(text), Uuid)


def path_in_byte_order(source_path: SQLCoreOperations[str]) -> ColumnElement[str]:
    """The beginning of a path, closed by a slash. Paths are compared byte by byte (their collation is ``C``)."""
    closed = source_path.concat(literal_column("'/'"))
    return func.left(closed, literal_column(str(INDEXED_PATH)), type_=Text(collation="C"))


class FileRecord(Identified, Base):
    """A path on an instrument. Size and time are those of its newest version, which has the checksums.

    ``source_path`` begins with the share's name and uses ``/``; ``folder`` is its parent.
    """

    __tablename__ = "file_records"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id"))
    source_path: Mapped[str] = mapped_column(Text(collation="C"))
    folder: Mapped[str] = mapped_column()
    filename: Mapped[str]
    persistent_id: Mapped[str] = mapped_column()
    persistent_id_type: Mapped[str] = mapped_column(default="ark")
    size_bytes: Mapped[int] = mapped_column()
    source_mtime: Mapped[datetime] = mapped_column()
    first_discovered_at: Mapped[datetime] = mapped_column()
    gone_at: Mapped[datetime | None] = mapped_column(comment="when a complete listing first lacked it")
    back_at: Mapped[datetime | None] = mapped_column(comment="when it was last found again after it had been gone")
    metadata_: Mapped[dict[str, Any]] = mapped_column(default=dict)
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    withdrawn_at: Mapped[datetime | None]
    withdrawn_reason: Mapped[str | None]
    withdrawn_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    extension: Mapped[str | None] = mapped_column(Computed(EXTENSION, persisted=True), deferred=True)
    words: Mapped[str] = mapped_column(TSVECTOR, Computed(WORDS, persisted=True), deferred=True)

    instrument: Mapped[Instrument] = relationship()

    __table_args__ = (
        Index("uq_file_records_persistent_id", digest_of(persistent_id), unique=True),
        Index("uq_file_records_instrument_id_source_path", instrument_id, digest_of(source_path), unique=True),
        Index("ix_file_records_instrument_id_folder", instrument_id, digest_of(folder)),
        # all of them ascending, whichever way lists read them: pages fill up where rows are added at the end
        Index("ix_file_records_first_discovered_at", first_discovered_at, "id"),
        Index("ix_file_records_instrument_first_discovered", instrument_id, first_discovered_at, "id"),
        Index(
            "ix_file_records_owner_id",
            owner_id,
            first_discovered_at,
            "id",
            postgresql_where=text("owner_id IS NOT NULL"),
        ),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_reason IS NULL)", name="withdrawal_has_a_reason"),
        # lists of all instruments are merged from those of each
        Index("ix_file_records_instrument_size_bytes", instrument_id, size_bytes, "id"),
        # they have the discovery times of the files of an acquisition time: lists are in the order of discovery
        Index("ix_file_records_source_mtime", source_mtime, "id", postgresql_include=["first_discovered_at"]),
        Index(
            "ix_file_records_instrument_source_mtime",
            instrument_id,
            source_mtime,
            "id",
            postgresql_include=["first_discovered_at"],
        ),
        Index("ix_file_records_withdrawn", "id", postgresql_where=text("withdrawn_at IS NOT NULL")),
        # of an instrument, all paths below a folder are one range
        Index("ix_file_records_instrument_path", instrument_id, path_in_byte_order(source_path)),
        Index("ix_file_records_extension", extension, first_discovered_at, "id"),
        Index(
            "ix_file_records_metadata",
            metadata_,
            postgresql_using="gin",
            postgresql_ops={"metadata_": "jsonb_path_ops"},
        ),
        Index("ix_file_records_words", words, postgresql_using="gin"),
    )
    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012 - SQLAlchemy reads it from the class


class VersionState(StrEnum):
    """A version's state; with each come a reason and the time since when."""

    SETTLING = "settling"  # the instrument may still be writing
    OVERDUE = "overdue"  # not finished after the maximum wait, or changed in each copy: an alert is sent; still watched
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
UNDERWAY = (VersionState.SETTLING, VersionState.SETTLED, VersionState.PENDING)
"""Indexes know these states by one word: a version passes through them in minutes, and no index is written for that."""
UNDERWAY_WORD = "underway"
IS_UNDERWAY = "state IN ('settling', 'settled', 'pending')"
IS_DONE = "is_newest AND indexed_state IN ('archived', 'unchanged')"
NOT_ENRICHED = "is_newest AND enrichment_error IS NOT NULL"
NOT_DECIDED = f"is_newest AND indexed_state = '{UNDERWAY_WORD}' AND retry_at IS NOT NULL"


class FileVersion(Identified, Base):
    """One content of a file record.

    ``instrument_id`` and ``first_discovered_at`` repeat the record's, for the indexes; the database fills in the latter
    where it isn't given.
    """

    __tablename__ = "file_versions"

    file_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_records.id", ondelete="CASCADE"))
    instrument_id: Mapped[uuid.UUID] = mapped_column()
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
    state_since: Mapped[datetime]
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
    # what indexes have of all this: PostgreSQL leaves them alone (a HOT update) while it is the same
    indexed_state: Mapped[str] = mapped_column(
        Computed(f"CASE WHEN {IS_UNDERWAY} THEN '{UNDERWAY_WORD}' ELSE state END", persisted=True)
    )
    indexed_since: Mapped[datetime | None] = mapped_column(
        Computed(f"CASE WHEN NOT ({IS_UNDERWAY}) THEN state_since END", persisted=True)
    )
    indexed_destinations: Mapped[str | None] = mapped_column(
        Computed("CASE WHEN state IN ('archived', 'unchanged') THEN decided_destinations END", persisted=True)
    )

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
            digest_of(sha256),
            unique=True,
            postgresql_where=text("sha256 IS NOT NULL AND indexed_state <> 'unchanged'"),
        ),
        Index(
            "ix_file_versions_newest_state",
            indexed_state,
            first_discovered_at,
            file_id,
            postgresql_where=text("is_newest"),
            postgresql_include=["indexed_since"],
        ),
        Index(
            "ix_file_versions_newest_day",
            acquisition_day,
            instrument_id,
            postgresql_where=text("is_newest"),
        ),
        Index("ix_file_versions_instrument_state_day", instrument_id, indexed_state, acquisition_day),
        # what was decided under other fingerprints than today's, among all that is done
        Index(
            "ix_file_versions_decided_destinations", instrument_id, indexed_destinations, postgresql_where=text(IS_DONE)
        ),
        Index("ix_file_versions_enriched_hooks", instrument_id, enriched_hooks, postgresql_where=text(IS_DONE)),
        # what hooks can't cope with, for alerts: few rows among all
        Index("ix_file_versions_enrichment_error", instrument_id, postgresql_where=text(NOT_ENRICHED)),
        Index("ix_file_versions_undecided", instrument_id, postgresql_where=text(NOT_DECIDED)),
        # whose turn it is to be read again at the source
        Index(
            "ix_file_versions_rereading",
            instrument_id,
            func.coalesce(source_reread_at, indexed_since),
            postgresql_where=text(IS_DONE),
        ),
    )


def in_state(*states: VersionState) -> ColumnElement[bool]:
    """Over ``FileVersion``: it is in one of these states, worded as the indexes are."""
    indexed = {UNDERWAY_WORD if state in UNDERWAY else state.value for state in states}
    found = FileVersion.indexed_state.in_(sorted(indexed))
    return and_(found, FileVersion.state.in_(states)) if UNDERWAY_WORD in indexed else found


class TransferStatus(StrEnum):
    """``in_progress`` is a claim: it belongs to one harvest run, and is free again when that run has ended or crashed.

    ``damaged`` was completed, and its copy was found damaged, missing or unreadable since: a further transfer to
    another path repairs it, and what is under the old one is evidence.
    """

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    DAMAGED = "damaged"


LIVE = (TransferStatus.PENDING, TransferStatus.IN_PROGRESS, TransferStatus.COMPLETED)
"""A version has no more than one of them in a storage location."""
LIVE_WORDS = "('pending', 'in_progress', 'completed')"
ONCE_COMPLETED = (TransferStatus.COMPLETED, TransferStatus.DAMAGED)
"""The version was archived there, whatever has become of the copy since."""


class Transfer(Identified, Base):
    """One attempt. At most one per version and storage location is waiting, under way or completed."""

    __tablename__ = "file_transfers"

    file_id: Mapped[uuid.UUID] = mapped_column()
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_versions.id", ondelete="CASCADE"))
    instrument_id: Mapped[uuid.UUID] = mapped_column()
    storage_location_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("storage_locations.id"))
    destination_path: Mapped[str | None] = mapped_column(comment="within the storage location's base path")
    transfer_adapter: Mapped[str] = mapped_column(default="smb")
    status: Mapped[str] = mapped_column(default=TransferStatus.PENDING)
    is_live: Mapped[bool | None] = mapped_column(
        Computed(f"CASE WHEN status IN {LIVE_WORDS} THEN true END", persisted=True),
        comment="true or null: a version has one live transfer in a storage location",
    )
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
        CheckConstraint("(status IN ('pending', 'in_progress')) = (completed_at IS NULL)", name="ended_has_a_time"),
        # no index has the status: a claim leaves them all as they are, which makes it cheap (a HOT update)
        Index("uq_file_transfers_live", version_id, storage_location_id, is_live, unique=True),
        Index("ix_file_transfers_open", instrument_id, created_at, "id", postgresql_where=text("completed_at IS NULL")),
        Index("ix_file_transfers_created_at", created_at, "id"),
        # whose turn it is to be re-read; and, over the index alone, how long ago an instrument's copies were
        Index(
            "ix_file_transfers_last_verified_at",
            storage_location_id,
            last_verified_at.asc().nulls_first(),
            instrument_id,
            postgresql_where=text("is_live IS TRUE AND completed_at IS NOT NULL"),
        ),
        Index(
            "ix_file_transfers_damage",
            storage_location_id,
            damage_found_at,
            postgresql_where=text("damage IS NOT NULL"),
        ),
        # what is wrong, for alerts: few rows among all
        Index("ix_file_transfers_damage_of_instrument", instrument_id, postgresql_where=text("damage IS NOT NULL")),
        Index(
            "ix_file_transfers_tried_again",
            storage_location_id,
            postgresql_where=text("completed_at IS NULL AND attempt > 1"),
        ),
    )


IS_OPEN = Transfer.completed_at.is_(None)
"""Over ``Transfer``: it waits or is under way, worded as the indexes are."""
IS_COMPLETED = and_(Transfer.is_live.is_(True), Transfer.completed_at.is_not(None))
"""Over ``Transfer``: its status is ``completed``, worded as the indexes are."""
