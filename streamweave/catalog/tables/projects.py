"""Projects: work that users and whole groups take part in."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Identified
from streamweave.catalog.tables.deletable import Deletable


class MemberType(StrEnum):
    """What can belong to a project."""

    USER = "user"
    GROUP = "group"


class Project(Identified, Dated, Deletable, Base):
    """Work whose files its members may see. Its name is known in upper and lower case alike."""

    __tablename__ = "projects"

    name: Mapped[str] = mapped_column()
    description: Mapped[str | None]

    __table_args__ = (
        Index("uq_projects_name", func.lower(name), unique=True, postgresql_where=text("deleted_at IS NULL")),
    )


class ProjectMember(Identified, Base):
    """That a user, or everyone in a group, belongs to a project. ``member_id`` is the id of whichever it is."""

    __tablename__ = "project_members"

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    group_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    member_id: Mapped[uuid.UUID] = mapped_column(Computed("COALESCE(user_id, group_id)", persisted=True))
    added_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())

    __table_args__ = (
        CheckConstraint("num_nonnulls(user_id, group_id) = 1", name="one_member"),
        UniqueConstraint("project_id", "member_id"),
        Index("ix_project_members_member_id", member_id, project_id),
    )

    @property
    def member_type(self) -> MemberType:
        """What ``member_id`` is the id of."""
        return MemberType.USER if self.user_id else MemberType.GROUP
