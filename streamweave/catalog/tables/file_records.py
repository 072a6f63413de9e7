"""File records: one path on one instrument, with the identifier it keeps for ever."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Computed,
    ForeignKey,
    Index,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.sql.elements import SQLCoreOperations

from streamweave.catalog.tables.base import Base, Identified
from streamweave.catalog.tables.instruments import Instrument

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


def path_in_byte_order(source_path: SQLCoreOperations[str]) -> ColumnElement[str]:
    """The beginning of a path, closed by a slash. Paths are compared byte by byte (their collation is ``C``)."""
    closed = source_path.concat(literal_column("'/'"))
    return func.left(closed, literal_column(str(INDEXED_PATH)), type_=Text(collation="C"))


class FileRecord(Identified, Base):
    """A path on an instrument. Size and time are those of its newest version, which has the checksums.

    ``source_path`` begins with the share's name and uses ``/``; ``folder`` is its parent. Paths may be longer than an
    index entry can hold, so the indexes are built over their digests.
    """

    __tablename__ = "file_records"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id"))
    source_path: Mapped[str] = mapped_column(Text(collation="C"))
    folder: Mapped[str] = mapped_column()
    filename: Mapped[str]
    persistent_id: Mapped[str] = mapped_column(unique=True)
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
        Index("uq_file_records_instrument_id_source_path", instrument_id, func.md5(source_path), unique=True),
        Index("ix_file_records_instrument_id_folder", instrument_id, func.md5(folder)),
        Index("ix_file_records_first_discovered_at", first_discovered_at.desc(), text("id DESC")),
        Index(
            "ix_file_records_instrument_first_discovered", instrument_id, first_discovered_at.desc(), text("id DESC")
        ),
        Index(
            "ix_file_records_owner_id",
            owner_id,
            first_discovered_at.desc(),
            text("id DESC"),
            postgresql_where=text("owner_id IS NOT NULL"),
        ),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_reason IS NULL)", name="withdrawal_has_a_reason"),
        Index("ix_file_records_size_bytes", size_bytes, "id"),
        Index("ix_file_records_instrument_size_bytes", instrument_id, size_bytes, "id"),
        # they tell when files of an acquisition time were discovered, which lists are in the order of
        Index("ix_file_records_source_mtime", source_mtime, "id", postgresql_include=["first_discovered_at"]),
        Index(
            "ix_file_records_instrument_source_mtime",
            instrument_id,
            source_mtime,
            "id",
            postgresql_include=["first_discovered_at"],
        ),
        Index("ix_file_records_withdrawn", "id", postgresql_where=text("withdrawn_at IS NOT NULL")),
        Index("ix_file_records_source_path", path_in_byte_order(source_path), "id"),
        # of an instrument, all paths below a folder are one range
        Index("ix_file_records_instrument_path", instrument_id, path_in_byte_order(source_path), "id"),
        Index("ix_file_records_extension", extension, first_discovered_at.desc(), text("id DESC")),
        Index(
            "ix_file_records_metadata",
            metadata_,
            postgresql_using="gin",
            postgresql_ops={"metadata_": "jsonb_path_ops"},
        ),
        Index("ix_file_records_words", words, postgresql_using="gin"),
    )
    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012 - SQLAlchemy reads it from the class as it stands
