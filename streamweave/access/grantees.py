"""Who something can be granted to: users, groups and projects, by id or by name."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, cast, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.catalog.tables import Deletable, GranteeType, Group, Project, User

GranteeRow = User | Group | Project

TABLES: dict[GranteeType, type[GranteeRow]] = {
    GranteeType.USER: User,
    GranteeType.GROUP: Group,
    GranteeType.PROJECT: Project,
}
COLUMNS = {GranteeType.USER: "user_id", GranteeType.GROUP: "group_id", GranteeType.PROJECT: "project_id"}
NAMES: dict[GranteeType, InstrumentedAttribute[str]] = {
    GranteeType.USER: User.email,
    GranteeType.GROUP: Group.name,
    GranteeType.PROJECT: Project.name,
}
# anybody may register under any address: it stands for its user only once that is verified
GOES_BY_ITS_NAME: dict[GranteeType, ColumnElement[bool]] = {
    GranteeType.USER: User.is_verified.is_(True),
    GranteeType.GROUP: Group.deleted_at.is_(None),
    GranteeType.PROJECT: Project.deleted_at.is_(None),
}
NAMES_LOCK = 7_236_118_345_901  # a number of our own among the database's advisory locks


@dataclass(frozen=True, slots=True)
class Grantee:
    """Somebody in the catalog."""

    type: GranteeType
    id: uuid.UUID

    @property
    def columns(self) -> dict[str, Any]:
        """What a row of grants holds of them."""
        return {column: self.id if kind == self.type else None for kind, column in COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class NamedGrantee:
    """Somebody who may not be in the catalog yet: a user's e-mail address, or a group's or project's name.

    Upper and lower case are the same in names, as the catalog sees it.
    """

    type: GranteeType
    name: str


def referable_grantee(session: Session, grantee: Grantee) -> GranteeRow | None:
    """The grantee's row, if it is in use; it can't be removed until the transaction ends."""
    table = TABLES[grantee.type]
    row: GranteeRow | None = session.get(table, grantee.id, with_for_update={"read": True})  # type: ignore[assignment]  # of that table
    return None if isinstance(row, Deletable) and row.is_deleted else row


def grantees_in_use(session: Session, grantees: Collection[Grantee]) -> set[Grantee]:
    """Those of ``grantees`` that are in the catalog and not deleted."""
    return {grantee for grantee in grantees if referable_grantee(session, grantee) is not None}


def grantees_named(session: Session, names: Collection[NamedGrantee]) -> dict[NamedGrantee, Grantee]:
    """Whom ``names`` stand for; those that stand for nobody yet are left out."""
    known: dict[NamedGrantee, Grantee] = {}
    for kind, table in TABLES.items():
        if wanted := [named.name for named in names if named.type == kind]:
            asked = func.unnest(cast(wanted, ARRAY(Text))).table_valued("name").render_derived()
            same = func.lower(NAMES[kind]) == func.lower(asked.c.name)
            rows = session.execute(select(asked.c.name, table.id).join(table, same).where(GOES_BY_ITS_NAME[kind]))
            known |= {NamedGrantee(kind, name): Grantee(kind, row_id) for name, row_id in rows}
    return known


def lock_names(session: Session, *, shared: bool = False) -> None:
    """Let nobody appear under a new name while others note names that they don't know; held until the transaction ends.

    Who looks names up and notes the unknown ones shares the lock. Who gives names holds it alone, and takes it before
    any row's lock.
    """
    session.execute(text(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}(:key)"), {"key": NAMES_LOCK})
