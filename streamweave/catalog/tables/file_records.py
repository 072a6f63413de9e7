"""File records: one path on one instrument, with the identifier it keeps for ever."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from streamweave.catalog.tables.base import Base, Identified
from streamweave.catalog.tables.instruments import Instrument


class FileRecord(Identified, Base):
    """A path on an instrument. Sizes, times and checksums are those of its newest version.

    ``source_path`` begins with the share's name and uses ``/``; ``folder`` is its parent. Paths may be longer than an
    index entry can hold, so the indexes are built over their digests.
    """

    __tablename__ = "file_records"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id"))
    source_path: Mapped[str] = mapped_column()
    folder: Mapped[str] = mapped_column()
    filename: Mapped[str]
    persistent_id: Mapped[str] = mapped_column(unique=True)
    persistent_id_type: Mapped[str] = mapped_column(default="ark")
    size_bytes: Mapped[int]
    source_mtime: Mapped[datetime]
    xxhash: Mapped[str | None] = mapped_column(comment="XXH64 with seed 0, 16 hexadecimal digits")
    sha256: Mapped[str | None] = mapped_column(comment="64 hexadecimal digits")
    first_discovered_at: Mapped[datetime] = mapped_column()
    gone_at: Mapped[datetime | None] = mapped_column(comment="when a complete listing first lacked it")
    metadata_: Mapped[dict[str, Any]] = mapped_column(default=dict)
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    instrument: Mapped[Instrument] = relationship()

    __table_args__ = (
        Index("uq_file_records_instrument_id_source_path", instrument_id, func.md5(source_path), unique=True),
        Index("ix_file_records_instrument_id_folder", instrument_id, func.md5(folder)),
        Index("ix_file_records_first_discovered_at", first_discovered_at.desc(), text("id DESC")),
        Index(
            "ix_file_records_instrument_first_discovered", instrument_id, first_discovered_at.desc(), text("id DESC")
        ),
        Index("ix_file_records_owner_id", owner_id, postgresql_where=text("owner_id IS NOT NULL")),
    )
