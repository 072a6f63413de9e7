"""Who may see a file, all files of an instrument, or those below one of its folders; and the groups and projects to
which that can be granted."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Deletable, Identified, one_of


class GranteeType(StrEnum):
    """Who can be granted something. A grant to a group or project is one to everybody who belongs to it."""

    USER = "user"
    GROUP = "group"
    PROJECT = "project"


class Granted:
    """To whom something is granted: exactly one of three. ``grantee_id`` is the id of whichever it is."""

    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    group_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    project_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    grantee_id: Mapped[uuid.UUID] = mapped_column(Computed("COALESCE(user_id, group_id, project_id)", persisted=True))
    granted_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())

    @property
    def grantee_type(self) -> GranteeType:
        """What ``grantee_id`` is the id of."""
        if self.user_id:
            return GranteeType.USER
        return GranteeType.GROUP if self.group_id else GranteeType.PROJECT


def _one_grantee() -> CheckConstraint:
    return CheckConstraint("num_nonnulls(user_id, group_id, project_id) = 1", name="one_grantee")


class FileGrant(Identified, Granted, Base):
    """A grant on one file.

    ``discovered_at`` repeats the file's ``first_discovered_at``, which never changes: the index has each grantee's
    files in the order of lists.
    """

    __tablename__ = "file_grants"

    file_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_records.id", ondelete="CASCADE"))
    discovered_at: Mapped[datetime]

    __table_args__ = (
        _one_grantee(),
        UniqueConstraint("file_id", "grantee_id"),
        Index("ix_file_grants_grantee_id", "grantee_id", text("discovered_at DESC"), text("file_id DESC")),
        # for those who are removed: their grants go with them
        Index("ix_file_grants_user_id", "user_id", postgresql_where=text("user_id IS NOT NULL")),
        Index("ix_file_grants_group_id", "group_id", postgresql_where=text("group_id IS NOT NULL")),
        Index("ix_file_grants_project_id", "project_id", postgresql_where=text("project_id IS NOT NULL")),
    )


class InstrumentGrant(Identified, Granted, Base):
    """A grant on an instrument's present and future files.

    ``path_prefix`` is a folder as in ``source_path``, without a slash at its end; the empty one stands for all files.
    """

    __tablename__ = "instrument_grants"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id", ondelete="CASCADE"))
    path_prefix: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        _one_grantee(),
        UniqueConstraint("instrument_id", "path_prefix", "grantee_id"),
        Index("ix_instrument_grants_grantee_id", "grantee_id", "instrument_id"),
    )


class PendingGrant(Identified, Base):
    """A grant on a file that waits until somebody has the name.

    ``name`` is a user's e-mail address, or a group's or project's name; compared without regard to case.
    """

    __tablename__ = "pending_grants"

    file_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_records.id", ondelete="CASCADE"))
    grantee_type: Mapped[str]
    name: Mapped[str]
    noted_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())

    __table_args__ = (
        one_of("grantee_type", GranteeType),
        UniqueConstraint("file_id", "grantee_type", "name"),
        Index("ix_pending_grants_name", "grantee_type", text("lower(name)")),
        Index("ix_pending_grants_noted_at", text("noted_at DESC"), text("id DESC")),
    )


class Named(Identified, Dated, Deletable):
    """A group or a project. Its name is unique among those that are not deleted, without regard to case."""

    name: Mapped[str]
    description: Mapped[str | None]


def _unique_name(index: str) -> Index:
    return Index(index, text("lower(name)"), unique=True, postgresql_where=text("deleted_at IS NULL"))


class Group(Named, Base):
    """People who may see the same files, such as a laboratory."""

    __tablename__ = "groups"
    __table_args__ = (_unique_name("uq_groups_name"),)


class GroupMember(Identified, Base):
    """A user's membership in a group."""

    __tablename__ = "group_members"

    group_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    added_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())

    __table_args__ = (UniqueConstraint("group_id", "user_id"), Index("ix_group_members_user_id", user_id, group_id))


class MemberType(StrEnum):
    """What can belong to a project."""

    USER = "user"
    GROUP = "group"


class Project(Named, Base):
    """Work whose files its members may see."""

    __tablename__ = "projects"
    __table_args__ = (_unique_name("uq_projects_name"),)


class ProjectMember(Identified, Base):
    """The membership of a user, or of everyone in a group, in a project. ``member_id`` is the id of whichever it is."""

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
