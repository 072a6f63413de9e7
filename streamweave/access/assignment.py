"""Access that hooks assign: granted at once to those who are in the catalog, and noted for those who are not yet."""

import uuid
from collections.abc import Collection, Mapping

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from streamweave.access.grantees import Grantee, NamedGrantee, grantees_in_use, grantees_named, lock_names
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import FileGrant, FileRecord, PendingGrant
from streamweave.errors import NotFound

Wanted = Mapping[uuid.UUID, Collection[Grantee | NamedGrantee]]

_NEWEST = Order(PendingGrant.noted_at, PendingGrant.id, newest_first=True)


def assign_access(session: Session, wanted: Wanted) -> set[Grantee]:
    """Show files, by their ids, to those who are named. What was granted or noted before is not granted twice.

    Returns the grantees that are not in the catalog any more: they can't be granted anything.
    """
    asked = {who for people in wanted.values() for who in people}
    names = {who for who in asked if isinstance(who, NamedGrantee)}
    if names:
        lock_names(session, shared=True)
    known = grantees_named(session, names)
    ids = {who for who in asked if isinstance(who, Grantee)}
    present = grantees_in_use(session, ids)
    grants: list[tuple[uuid.UUID, Grantee]] = []
    unknown: list[tuple[uuid.UUID, NamedGrantee]] = []
    for file_id, people in wanted.items():
        for who in people:
            grantee = known.get(who) if isinstance(who, NamedGrantee) else who
            if grantee is None:
                unknown += [(file_id, who)] if isinstance(who, NamedGrantee) else []
            elif isinstance(who, NamedGrantee) or who in present:
                grants.append((file_id, grantee))
    _grant(session, grants)
    _note(session, unknown)
    return ids - present


def apply_pending_grants(session: Session, name: NamedGrantee) -> int:
    """Give whoever has just got that name what waits for it; returns how many grants that were.

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
    """What waits for somebody to appear, newest first."""
    return page_of(session, select(PendingGrant), _NEWEST, request)


def withdraw_pending_grant(session: Session, pending_id: uuid.UUID) -> None:
    """Let a file no longer wait for somebody to appear. Raises ``NotFound``, also for what was granted meanwhile."""
    pending = session.get(PendingGrant, pending_id, with_for_update=True)
    if pending is None:
        raise NotFound("Pending grant")
    session.delete(pending)
    session.flush()


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
