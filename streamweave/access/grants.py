"""Grants on files, on instruments and on folders of instruments, and the owners of files. The caller commits.

A grantee is a user, a group or a project, by id or by name. Hooks assign access by name, too: grantees that are in the
catalog are granted at once, and a pending grant is recorded for names that are not there yet.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, cast, delete, func, select
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.access.visibility import visible_files
from streamweave.catalog.deletion import present, referable, remove
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import add
from streamweave.catalog.tables import (
    Deletable,
    FileGrant,
    FileRecord,
    GranteeType,
    Group,
    Instrument,
    InstrumentGrant,
    PendingGrant,
    Project,
    User,
)
from streamweave.errors import Conflict, InvalidInput, NotFound
from streamweave.validation import CONTROL, Rule, checked, identity, one_word_of, optional, shaped_text, sound, text

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
# any address can be registered: it names its user only once it is verified
GOES_BY_ITS_NAME: dict[GranteeType, ColumnElement[bool]] = {
    GranteeType.USER: User.is_verified.is_(True),
    GranteeType.GROUP: Group.deleted_at.is_(None),
    GranteeType.PROJECT: Project.deleted_at.is_(None),
}
NAMES_LOCK = 7_236_118_345_901  # a number of our own among the database's advisory locks

LONGEST_PREFIX = 400  # characters: with the slash after it, it must fit into what the index holds of a path
_GRANTED = Order(FileGrant.granted_at, FileGrant.id)
_GRANTED_ON_INSTRUMENT = Order(InstrumentGrant.granted_at, InstrumentGrant.id)
TO_GRANTEE: dict[str, Rule] = {"grantee_type": one_word_of(*GranteeType), "grantee_id": identity}
OWNER: dict[str, Rule] = {"owner_id": optional(identity)}
_NEWEST = Order(PendingGrant.noted_at, PendingGrant.id, newest_first=True)


@dataclass(frozen=True, slots=True)
class Grantee:
    """A user, group or project in the catalog."""

    type: GranteeType
    id: uuid.UUID

    @property
    def columns(self) -> dict[str, Any]:
        """What a row of grants holds of them."""
        return {column: self.id if kind == self.type else None for kind, column in COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class NamedGrantee:
    """A grantee who may not be in the catalog yet: a user's e-mail address, or a group's or project's name.

    Upper and lower case are the same in names, as the catalog sees it.
    """

    type: GranteeType
    name: str


def referable_grantee(session: Session, grantee: Grantee) -> GranteeRow | None:
    """The grantee's row, if it is in use; it can't be removed until the transaction ends."""
    table = TABLES[grantee.type]
    row: GranteeRow | None = session.get(table, grantee.id, with_for_update={"read": True})  # type: ignore[assignment]  # of that table
    return None if isinstance(row, Deletable) and row.is_deleted else row


def grantees_named(session: Session, names: Collection[NamedGrantee]) -> dict[NamedGrantee, Grantee]:
    """The grantees that ``names`` name; unknown names are left out."""
    known: dict[NamedGrantee, Grantee] = {}
    for kind, table in TABLES.items():
        if wanted := [named.name for named in names if named.type == kind]:
            asked = func.unnest(cast(wanted, ARRAY(Text))).table_valued("name").render_derived()
            same = func.lower(NAMES[kind]) == func.lower(asked.c.name)
            rows = session.execute(select(asked.c.name, table.id).join(table, same).where(GOES_BY_ITS_NAME[kind]))
            known |= {NamedGrantee(kind, name): Grantee(kind, row_id) for name, row_id in rows}
    return known


def lock_names(session: Session, *, shared: bool = False) -> None:
    """Keep new names from being given while unknown names are noted; held until the transaction ends.

    Transactions that look up names and note the unknown ones share the lock. One that gives a name holds it alone, and
    takes it before any row's lock.
    """
    session.execute(sql_text(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}(:key)"), {"key": NAMES_LOCK})


@shaped_text(
    min_length=1, max_length=LONGEST_PREFIX, pattern=sound(CONTROL, besides=r"(?!/*$)(?!(?:.*/)?\.{1,2}(?:/|$))")
)
def path_prefix(field: str, value: Any) -> str:
    """A folder as in ``source_path``: the share's name first, ``/`` between its parts."""
    checked: str = text(longest=LONGEST_PREFIX)(field, value)
    parts = [part for part in checked.split("/") if part]
    if not parts or "." in parts or ".." in parts:
        raise InvalidInput(field, "must be a folder like share/folder; leave it out for all files")
    return "/".join(parts)


ON_INSTRUMENT: dict[str, Rule] = {**TO_GRANTEE, "path_prefix": optional(path_prefix)}


def visible_file(session: Session, viewer: User, file_id: uuid.UUID) -> FileRecord:
    """Raises ``NotFound`` for what ``viewer`` may not see, too."""
    record = session.scalar(select(FileRecord).where(FileRecord.id == file_id, visible_files(session, viewer)))
    if record is None:
        raise NotFound("File")
    return record


def file_grants(session: Session, viewer: User, file_id: uuid.UUID, request: PageRequest) -> Page[FileGrant]:
    """Who a file is granted to, in the order in which it was. Raises ``NotFound``."""
    visible_file(session, viewer, file_id)
    return page_of(session, select(FileGrant).where(FileGrant.file_id == file_id), _GRANTED, request)


def grant_file(session: Session, viewer: User, file_id: uuid.UUID, values: Mapping[str, Any]) -> FileGrant:
    """Show a file to the ``grantee_id`` of ``grantee_type``. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    record = visible_file(session, viewer, file_id)
    grantee = _grantee(session, checked(TO_GRANTEE, values, required=TO_GRANTEE))
    same = select(FileGrant.id).where(FileGrant.file_id == file_id, FileGrant.grantee_id == grantee.id)
    if session.scalar(same) is not None:
        raise Conflict(f"the file is granted to this {grantee.type} already")
    grant = FileGrant(file_id=file_id, discovered_at=record.first_discovered_at, **grantee.columns)
    return add(session, grant)


def revoke_file_grant(session: Session, file_id: uuid.UUID, grant_id: uuid.UUID) -> None:
    """Revoke a grant on a file. Raises ``NotFound``."""
    remove(session, FileGrant, grant_id, "Grant", file_id=file_id)


def instrument_grants(session: Session, instrument_id: uuid.UUID, request: PageRequest) -> Page[InstrumentGrant]:
    """Who an instrument's files are granted to, in the order in which they were. Raises ``NotFound``."""
    present(session, Instrument, instrument_id, "Instrument")
    query = select(InstrumentGrant).where(InstrumentGrant.instrument_id == instrument_id)
    return page_of(session, query, _GRANTED_ON_INSTRUMENT, request)


def grant_instrument(session: Session, instrument_id: uuid.UUID, values: Mapping[str, Any]) -> InstrumentGrant:
    """Grant an instrument's present and future files, or those below ``path_prefix``.

    Raises ``NotFound``, ``InvalidInput`` or ``Conflict``.
    """
    if referable(session, Instrument, instrument_id) is None:
        raise NotFound("Instrument")
    fields = checked(ON_INSTRUMENT, values, required=TO_GRANTEE)
    grantee, prefix = _grantee(session, fields), fields.get("path_prefix") or ""
    same = select(InstrumentGrant.id).where(
        InstrumentGrant.instrument_id == instrument_id,
        InstrumentGrant.path_prefix == prefix,
        InstrumentGrant.grantee_id == grantee.id,
    )
    if session.scalar(same) is not None:
        raise Conflict(f"the same is granted to this {grantee.type} already")
    grant = InstrumentGrant(instrument_id=instrument_id, path_prefix=prefix, **grantee.columns)
    return add(session, grant)


def revoke_instrument_grant(session: Session, instrument_id: uuid.UUID, grant_id: uuid.UUID) -> None:
    """Revoke a grant on an instrument. Raises ``NotFound``."""
    remove(session, InstrumentGrant, grant_id, "Grant", instrument_id=instrument_id)


def _grantee(session: Session, fields: Mapping[str, Any]) -> Grantee:
    grantee = Grantee(GranteeType(fields["grantee_type"]), fields["grantee_id"])
    if referable_grantee(session, grantee) is None:
        raise InvalidInput("grantee_id", f"there is no such {grantee.type}")
    return grantee


def set_owner(session: Session, viewer: User, file_id: uuid.UUID, values: Mapping[str, Any]) -> None:
    """Make the user ``owner_id`` the file's owner; None for no owner. Raises ``NotFound`` or ``InvalidInput``."""
    record = visible_file(session, viewer, file_id)
    fields = checked(OWNER, values, required=("owner_id",))
    owner_id = fields["owner_id"]
    if owner_id is not None and referable_grantee(session, Grantee(GranteeType.USER, owner_id)) is None:
        raise InvalidInput("owner_id", "there is no such user")
    record.owner_id = owner_id
    session.flush()


Wanted = Mapping[uuid.UUID, Collection[Grantee | NamedGrantee]]


def assign_access(session: Session, wanted: Wanted) -> set[Grantee]:
    """Grant files, by their ids, to the grantees of each. What was granted or noted before is not granted twice.

    Returns the grantees that are not in the catalog any more: they can't be granted anything.
    """
    asked = [(file_id, who) for file_id, people in wanted.items() for who in people]
    names = {who for _, who in asked if isinstance(who, NamedGrantee)}
    if names:
        lock_names(session, shared=True)
    ids = {who for _, who in asked if isinstance(who, Grantee)}
    present = {who for who in ids if referable_grantee(session, who) is not None}
    known: dict[Any, Grantee] = {**grantees_named(session, names), **{who: who for who in present}}
    grants = [(file_id, known[who]) for file_id, who in asked if who in known]
    unknown = [(file_id, who) for file_id, who in asked if isinstance(who, NamedGrantee) and who not in known]
    _grant(session, grants)
    _note(session, unknown)
    return ids - present


def apply_pending_grants(session: Session, name: NamedGrantee) -> int:
    """Grant what waits for a name to the grantee who has just got it; returns the number of grants.

    The names' lock is held since before the name was given (``lock_names``). A user gets a name once it is verified.
    """
    grantee = grantees_named(session, [name]).get(name)
    if grantee is None:
        return 0
    same = func.lower(PendingGrant.name) == func.lower(name.name)
    waiting = delete(PendingGrant).where(PendingGrant.grantee_type == name.type, same)
    files = session.scalars(waiting.returning(PendingGrant.file_id)).all()
    _grant(session, [(file_id, grantee) for file_id in files])
    return len(files)


def pending_grants(session: Session, request: PageRequest) -> Page[PendingGrant]:
    """The pending grants, newest first."""
    return page_of(session, select(PendingGrant), _NEWEST, request)


def withdraw_pending_grant(session: Session, pending_id: uuid.UUID) -> None:
    """Remove a pending grant. Raises ``NotFound``, also for one that was granted in the meantime."""
    remove(session, PendingGrant, pending_id, "Pending grant")


def _grant(session: Session, grants: Collection[tuple[uuid.UUID, Grantee]]) -> None:
    if not grants:
        return
    files = {file_id for file_id, _ in grants}
    found = select(FileRecord.id, FileRecord.first_discovered_at).where(FileRecord.id.in_(files))
    discovered = {row.id: row.first_discovered_at for row in session.execute(found)}
    rows = [
        {"file_id": file_id, "discovered_at": discovered[file_id], **grantee.columns}
        for file_id, grantee in dict.fromkeys(grants)
    ]
    session.execute(insert(FileGrant).on_conflict_do_nothing(), rows)


def _note(session: Session, unknown: Collection[tuple[uuid.UUID, NamedGrantee]]) -> None:
    rows = [
        {"file_id": file_id, "grantee_type": named.type, "name": named.name}
        for file_id, named in dict.fromkeys(unknown)
    ]
    if rows:
        session.execute(insert(PendingGrant).on_conflict_do_nothing(), rows)
