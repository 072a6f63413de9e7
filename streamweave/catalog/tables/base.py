"""What all tables share: named constraints, UUID keys, times in UTC, words for states, deletion that can be undone.

And the identity of the catalog, by which the marks of storage locations distinguish it from other catalogs.
"""

import secrets
import time
import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The declarative base. Names of constraints are fixed, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        str: Text(),
        int: BigInteger(),
        dict[str, Any]: JSONB(),
    }


def uuid7() -> uuid.UUID:
    """A UUID that begins with the time (RFC 9562, section 5.7, its method 3).

    Rows that are written together are then together in every index over ids, in the order in which they were made.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    return uuid.UUID(int=milliseconds << 80 | 0x7000 << 64 | fraction << 64 | 0b10 << 62 | secrets.randbits(62))


class Identified:
    """A row with a UUID of its own."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)


class Dated:
    """A row that people configure: when it was made and last changed, in UTC.

    Stamped by the statement, not by its transaction: rows that are entered together keep their order.
    """

    created_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.statement_timestamp(), onupdate=func.statement_timestamp()
    )


def one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """A constraint that lets ``column`` hold only the enumeration's words."""
    allowed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({allowed})", name=f"{column}_is_known")


class Deletable:
    """A row that stays in the catalog when it is deleted. Queries for rows in use leave out the deleted ones."""

    deleted_at: Mapped[datetime | None] = mapped_column()

    @property
    def is_deleted(self) -> bool:
        """Whether it is deleted, and not restored since."""
        return self.deleted_at is not None


class CatalogIdentity(Base):
    """The one row that names the catalog. Its id travels with every dump: a restored catalog is the same one."""

    __tablename__ = "catalog_identity"

    is_only: Mapped[bool] = mapped_column(primary_key=True, default=True, server_default="true")
    id: Mapped[uuid.UUID] = mapped_column(server_default=func.gen_random_uuid())
    previous_id: Mapped[uuid.UUID | None] = mapped_column(comment="what it was before it was given a new identity")
    created_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())

    __table_args__ = (CheckConstraint("is_only", name="is_the_only_row"),)
