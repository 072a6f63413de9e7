"""Where versions go."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Identified, one_of
from streamweave.catalog.tables.deletable import Deletable


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
