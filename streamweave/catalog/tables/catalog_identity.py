"""Who this catalog is: told by the marks of its storage locations from every other catalog."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base


class CatalogIdentity(Base):
    """The one row that names the catalog. Its id travels with every dump: a restored catalog is the same one."""

    __tablename__ = "catalog_identity"

    is_only: Mapped[bool] = mapped_column(primary_key=True, default=True, server_default="true")
    id: Mapped[uuid.UUID] = mapped_column(server_default=func.gen_random_uuid())
    previous_id: Mapped[uuid.UUID | None] = mapped_column(comment="what it was before it was given a new identity")
    created_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())

    __table_args__ = (CheckConstraint("is_only", name="is_the_only_row"),)
