"""Journals: how far those of each storage location are catalogued, and what was taken from them."""

import uuid
from datetime import datetime

from sqlalchemy import ARRAY, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Identified


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
