"""Storage locations, and how far the journals of each are catalogued."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Deletable, Identified, one_of


class StorageType(StrEnum):
    """The kinds of storage that the system can write to."""

    POSIX = "posix"
    S3 = "s3"


class StorageLocation(Identified, Dated, Deletable, Base):
    """A managed place for versions: a folder of a file system, or a prefix of an S3 bucket.

    The secret of a ``connection_config`` is kept apart from it, sealed.
    """

    __tablename__ = "storage_locations"

    name: Mapped[str] = mapped_column()
    type: Mapped[str] = mapped_column(default=StorageType.POSIX)
    connection_config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    sealed_secret_access_key: Mapped[bytes | None] = mapped_column()
    base_path: Mapped[str] = mapped_column()
    enabled: Mapped[bool] = mapped_column(default=True)
    marked_at: Mapped[datetime | None] = mapped_column(
        comment="when the mark that stands at the place was made; null: not marked since marks say whose they are"
    )
    journal_is_complete: Mapped[bool] = mapped_column(
        server_default="true", comment="false: copies from before there were journals are yet to be noted in one"
    )
    refused_at: Mapped[datetime | None] = mapped_column(comment="since when the place is refused")
    refusal: Mapped[str | None] = mapped_column(comment="why the place is not taken for the location")

    __table_args__ = (
        one_of("type", StorageType),
        Index("uq_storage_locations_name", name, unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("uq_storage_locations_base_path", base_path, unique=True, postgresql_where=text("deleted_at IS NULL")),
    )


class JournalPosition(Base):
    """One journal. What is in it behind ``catalogued_bytes`` the catalog does not know yet."""

    __tablename__ = "journal_positions"

    storage_location_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("storage_locations.id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    catalogued_bytes: Mapped[int]


class Readoption(Identified, Base):
    """What was taken from the journals of a location because the catalog did not know of it."""

    __tablename__ = "readoptions"

    storage_location_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("storage_locations.id"))
    read_at: Mapped[datetime]
    files: Mapped[int] = mapped_column(comment="that the catalog did not know")
    versions: Mapped[int]
    copies: Mapped[int]
    illegible: Mapped[int] = mapped_column(comment="lines of journals that could not be read")
    conflicts: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default="{}", comment="what the journals and the catalog say differently"
    )

    __table_args__ = (Index("ix_readoptions_storage_location_id", storage_location_id),)


class IdentifierAlias(Base):
    """A further identifier of a file: one that was given out while the catalog did not know that it had one."""

    __tablename__ = "identifier_aliases"

    persistent_id: Mapped[str] = mapped_column(primary_key=True)
    file_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_records.id", ondelete="CASCADE"), index=True)
    given_at: Mapped[datetime]
