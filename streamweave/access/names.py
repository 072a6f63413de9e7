"""What groups and projects have in common: a name that only one of each bears, and what waits for it.

Upper and lower case are the same in names. The caller commits.
"""

import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import func
from sqlalchemy.orm import Session

from streamweave.access.assignment import apply_pending_grants
from streamweave.access.grantees import NAMES, NamedGrantee, lock_names
from streamweave.catalog.deletion import listing, mark_restored, present, to_restore
from streamweave.catalog.session import change
from streamweave.catalog.tables import GranteeType, Group, Project
from streamweave.errors import Conflict
from streamweave.validation import Rule, checked, name, optional, require, text

Named = TypeVar("Named", Group, Project)

FIELDS: dict[str, Rule] = {"name": name, "description": optional(text(lines=True))}
KINDS = {Group: GranteeType.GROUP, Project: GranteeType.PROJECT}


def create_named(session: Session, table: type[Named], values: Mapping[str, Any]) -> Named:
    """A new group or project: ``name``, and if wished ``description``. What waited for its name is granted to it.

    Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(FIELDS, values)
    require(fields, "name")
    lock_names(session)
    _check_name_is_free(session, table, fields["name"])
    row = table(**fields)
    session.add(row)
    session.flush()
    session.refresh(row)
    return _called_by_its_name(session, row)


def update_named(session: Session, table: type[Named], row_id: uuid.UUID, changes: Mapping[str, Any]) -> Named:
    """Change the given fields. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    fields = checked(FIELDS, changes)
    lock_names(session)
    row = present(session, table, row_id, table.__name__)
    if "name" in fields:
        _check_name_is_free(session, table, fields["name"], besides=row_id)
    return _called_by_its_name(session, change(session, row, fields))


def restore_named(session: Session, table: type[Named], row_id: uuid.UUID) -> Named:
    """Take it back into use, with its members and grants. Raises ``NotFound`` or ``Conflict``."""
    lock_names(session)
    row = to_restore(session, table, row_id, table.__name__)
    _check_name_is_free(session, table, row.name)
    mark_restored(session, [row])
    return _called_by_its_name(session, row)


def _check_name_is_free(session: Session, table: type[Named], wanted: str, besides: uuid.UUID | None = None) -> None:
    kind = KINDS[table]
    same = session.scalar(listing(table).where(func.lower(NAMES[kind]) == func.lower(wanted)))
    if same is not None and same.id != besides:
        raise Conflict(f"name: a {kind} named {wanted} exists already")


def _called_by_its_name(session: Session, row: Named) -> Named:
    apply_pending_grants(session, NamedGrantee(KINDS[type(row)], row.name))
    return row
