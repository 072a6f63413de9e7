"""Groups of users."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Identified
from streamweave.catalog.tables.deletable import Deletable


class Group(Identified, Dated, Deletable, Base):
    """People who may see the same files, such as a laboratory. Its name is known in upper and lower case alike."""

    __tablename__ = "groups"

    name: Mapped[str] = mapped_column()
    description: Mapped[str | None]

    __table_args__ = (
        Index("uq_groups_name", func.lower(name), unique=True, postgresql_where=text("deleted_at IS NULL")),
    )


class GroupMember(Identified, Base):
    """That a user belongs to a group."""

    __tablename__ = "group_members"

    group_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    added_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())

    __table_args__ = (
        UniqueConstraint("group_id", "user_id"),
        Index("ix_group_members_user_id", user_id, group_id),
    )
