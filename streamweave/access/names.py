"""What groups and projects are called: one name for one of them, the same in upper and lower case."""

import uuid

from sqlalchemy import func
from sqlalchemy.orm import Session

from streamweave.access.grantees import NAMES
from streamweave.catalog.tables import GranteeType, Group, Project
from streamweave.deletion import listing
from streamweave.errors import Conflict
from streamweave.rules import Rule, name, optional, text

FIELDS: dict[str, Rule] = {"name": name, "description": optional(text(lines=True))}


def check_name_is_free(
    session: Session, table: type[Group] | type[Project], wanted: str, besides: uuid.UUID | None = None
) -> None:
    """Raises ``Conflict`` when a group, or a project, has that name already."""
    kind = GranteeType.GROUP if table is Group else GranteeType.PROJECT
    same = session.scalar(listing(table).where(func.lower(NAMES[kind]) == func.lower(wanted)))
    if same is not None and same.id != besides:
        raise Conflict(f"name: a {kind} named {wanted} exists already")
