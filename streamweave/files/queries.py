"""Queries on files and their transfers: lists, single ones, history, and summaries; only what the viewer may see.

A list yields rows rather than objects: to make objects of a page took longer than to find it. Summaries by day read an
index of the newest versions by acquisition day, so only the days asked for count. Summaries by state read an index by
state completely, which takes some tenths of a second at a million files. For users with partial access, all files in
their scope are collected and joined with these.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache, partial
from typing import Any, TypeVar

from sqlalchemy import ARRAY, ColumnElement, Row, Select, Uuid, and_, any_, bindparam, func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from streamweave.access.visibility import (
    Kind,
    access_scope_of,
    covered_by,
    covered_ids,
    covered_one_by_one,
    few_covered,
    not_withdrawn,
    visible_by,
    visible_files,
    visible_versions,
)
from streamweave.catalog.pages import Order, Page, PageRequest, Place, Values, bookmark, page_of
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    HookRun,
    Scan,
    Transfer,
    TransferStatus,
    User,
    VersionState,
)
from streamweave.catalog.tables.files import UNDERWAY_WORD
from streamweave.catalog.tables.hooks import FAILURES
from streamweave.errors import InvalidInput, NotFound
from streamweave.files.listing import (
    KEPT_LISTS,
    NEWEST_FIRST,
    Ids,
    Sort,
    WalkedList,
    order_of,
    visible_page,
    walked_list,
)
from streamweave.files.selection import EVERYTHING, Selection, access_scope_asked, selected
from streamweave.harvest.record_changes import FOUND_BY_REREADING

ListedFile = Row[Any]
"""A row with the columns of ``LISTED``, by their names."""

LISTED = (
    FileRecord.id,
    FileRecord.persistent_id,
    FileRecord.persistent_id_type,
    FileRecord.instrument_id,
    FileRecord.source_path,
    FileRecord.filename,
    FileRecord.size_bytes,
    FileRecord.source_mtime,
    FileRecord.first_discovered_at,
    FileRecord.metadata_,
    FileRecord.owner_id,
    FileRecord.gone_at,
    FileRecord.withdrawn_at,
    FileRecord.withdrawn_reason,
    FileVersion.xxhash,
    FileVersion.sha256,
    FileVersion.number.label("version"),
    FileVersion.acquisition_day,
    FileVersion.state,
    FileVersion.reason,
    FileVersion.state_since,
)


_NEWEST_VERSION = Order(FileVersion.discovered_at, FileVersion.id, newest_first=True)
_IDS = ARRAY(Uuid())
_NEWEST_SCAN = Order(Scan.started_at, Scan.id, newest_first=True)

LONGEST = 1000  # versions or transfers, the newest ones: what is older is in their own lists
AnyRow = TypeVar("AnyRow", bound=tuple[Any, ...])
MOST_DAYS = 366
_NEWEST_TRANSFER = Order(Transfer.created_at, Transfer.id, newest_first=True)


def files(
    session: Session, viewer: User, request: PageRequest, selection: Selection = EVERYTHING, sort: Sort = NEWEST_FIRST
) -> Page[ListedFile]:
    """The files of ``selection`` that ``viewer`` may see.

    Raises ``InvalidInput``, also for a cursor of another selection or order.
    """
    begin = bookmark(order_of(sort), request, selection.scope)
    first = visible_page(session, viewer, selection, begin)
    return begin.page(session.execute(_listed(sort), {"ids": first}).all() if first else [])


@cache
def _listed(sort: Sort) -> Select[Any]:
    """The files with given ids in order, and what the page needs to know of the order."""
    order = order_of(sort)
    newest = and_(FileVersion.file_id == FileRecord.id, FileVersion.is_newest)
    found = select(*LISTED, order.key.label("order_key"), order.id.label("order_id")).join(FileVersion, newest)
    return Place(order, continued=False).in_order(found.where(FileRecord.id == any_(bindparam("ids", type_=_IDS))))


def count_of_files(session: Session, viewer: User, selection: Selection = EVERYTHING) -> int:
    """How many files of ``selection`` ``viewer`` may see. Costs time in proportion to that number."""
    scope = access_scope_asked(session, viewer, selection)
    if scope is not None and scope.kinds and not selection.filters:
        # indexes suffice for all open files: no record is read
        return session.scalar(_number_open(scope.kinds, withdrawn_too=viewer.is_admin), scope.values) or 0
    found = selected(viewer, selection, scope).with_only_columns(func.count(), maintain_column_froms=True)
    return session.scalar(found, selection.values) or 0


@cache
def _number_open(kinds: tuple[Kind, ...], *, withdrawn_too: bool) -> Select[tuple[int]]:
    ids = covered_ids(kinds).subquery()
    number = select(func.count(ids.c.id.distinct()))
    return number if withdrawn_too else number.where(not_withdrawn(ids.c.id))


def file_by_id(session: Session, viewer: User, file_id: uuid.UUID) -> FileVersion:
    """The newest version of a file, with the record in ``file``. ``NotFound`` for what ``viewer`` may not see, too."""
    scope = None if viewer.is_admin else access_scope_of(session, viewer)
    values = {"file_id": file_id} if scope is None else {"file_id": file_id, **scope.values}
    version = session.scalar(_one_file(scope and scope.kinds), values)
    if version is None:
        raise NotFound("File")
    return version


@cache
def _one_file(kinds: tuple[Kind, ...] | None) -> Select[tuple[FileVersion]]:
    """For those whose scope are of these kinds; None for who sees everything."""
    found = _with_records().where(FileVersion.is_newest, FileRecord.id == bindparam("file_id"))
    return found if kinds is None else found.where(visible_by(kinds))


def versions_of(session: Session, viewer: User, file_id: uuid.UUID, request: PageRequest) -> Page[FileVersion]:
    """All versions of a file, newest first. Raises ``NotFound`` as ``file_by_id`` does."""
    file_by_id(session, viewer, file_id)
    return page_of(session, select(FileVersion).where(FileVersion.file_id == file_id), _NEWEST_VERSION, request)


def version_by_number(session: Session, viewer: User, file_id: uuid.UUID, number: int) -> FileVersion:
    """One version of a file, with the record in ``file``. Raises ``NotFound`` for what ``viewer`` may not see, too."""
    file_by_id(session, viewer, file_id)
    version = session.scalar(_with_records().where(FileRecord.id == file_id, FileVersion.number == number))
    if version is None:
        raise NotFound("Version")
    return version


def scans_of_file(session: Session, viewer: User, file_id: uuid.UUID, request: PageRequest) -> Page[Scan]:
    """The scans of the file's share since the one that discovered it, newest first. Raises ``NotFound``.

    Their counts include files that ``viewer`` may not see: show none of them.
    """
    record = file_by_id(session, viewer, file_id).file
    since = or_(Scan.finished_at.is_(None), Scan.finished_at >= record.first_discovered_at)
    query = select(Scan).where(Scan.instrument_id == record.instrument_id, since)
    return page_of(session, query, _NEWEST_SCAN, request, scope=str(file_id))


def _with_records() -> Select[tuple[FileVersion]]:
    return select(FileVersion).join(FileVersion.file).options(contains_eager(FileVersion.file))


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a file, in a word, and when (UTC).

    Words: ``discovered``, ``changed`` (a new version was seen), ``planned`` (a copy into ``storage_location``),
    ``copying``, ``transferred``, ``transfer_failed``, ``verified`` (its copy was re-read later), ``damaged``,
    ``source_verified`` (the source was read again, and has the archived content), ``gone``, ``withdrawn``, ``hook_ran``
    and ``hook_failed`` (a script or webhook); and the present state of each version, such as ``settling``,
    ``skipped`` or ``archived``.
    """

    at: datetime
    event: str
    version: int | None = None
    detail: str | None = None
    storage_location: str | None = None
    transfer_id: uuid.UUID | None = None


def history_of(session: Session, viewer: User, file_id: uuid.UUID) -> list[Event]:
    """The file's events, oldest first. Raises ``NotFound`` for what ``viewer`` may not see, too."""
    record = file_by_id(session, viewer, file_id).file
    versions = session.scalars(
        select(FileVersion).where(FileVersion.file_id == file_id).order_by(FileVersion.number.desc()).limit(LONGEST)
    )
    transfers = session.scalars(
        select(Transfer)
        .join(Transfer.version)
        .where(FileVersion.file_id == file_id)
        .options(joinedload(Transfer.storage_location), contains_eager(Transfer.version))
        .order_by(Transfer.created_at.desc())
        .limit(LONGEST)
    )
    runs = session.scalars(
        select(HookRun)
        .where(HookRun.file_id == file_id)
        .options(joinedload(HookRun.hook), joinedload(HookRun.version))
        .order_by(HookRun.started_at.desc(), HookRun.id.desc())
        .limit(LONGEST)
    )
    events = list(_of_record(record))
    events += (event for version in versions for event in _of_version(version))
    events += (event for transfer in transfers for event in _of_transfer(transfer))
    events += map(_of_hook_run, runs)
    return sorted(events, key=lambda event: event.at)


def _of_record(record: FileRecord) -> Iterator[Event]:
    yield Event(record.first_discovered_at, "discovered")
    if record.gone_at is not None:
        yield Event(record.gone_at, "gone", detail="a complete listing of the share lacked it")
    if record.withdrawn_at is not None:
        yield Event(record.withdrawn_at, "withdrawn", detail=record.withdrawn_reason)


def _of_version(version: FileVersion) -> Iterator[Event]:
    if version.number > 1:
        detail = FOUND_BY_REREADING if version.found_by_rereading else None
        yield Event(version.discovered_at, "changed", version.number, detail)
    if version.archived_at is not None:
        yield Event(version.archived_at, VersionState.ARCHIVED, version.number, version.unfinished)
    if version.source_verified_at is not None:
        yield Event(version.source_verified_at, "source_verified", version.number)
    if version.archived_at is None or version.state != VersionState.ARCHIVED:
        yield Event(version.state_since, version.state, version.number, version.reason or None)


def _of_transfer(transfer: Transfer) -> Iterator[Event]:
    ended = "transfer_failed" if transfer.status == TransferStatus.FAILED else "transferred"
    reread = "verified" if transfer.damage is None else "damaged"
    moments = [
        (transfer.created_at, "planned", None),
        (transfer.started_at, "copying", None),
        (transfer.completed_at, ended, transfer.error_message),
        (transfer.last_verified_at, reread, transfer.damage),
    ]
    for at, event, detail in moments:
        if at is not None:
            name = transfer.storage_location.name
            yield Event(at, event, transfer.version.number, detail, name, transfer.id)


def _of_hook_run(run: HookRun) -> Event:
    event = "hook_failed" if run.outcome in FAILURES else "hook_ran"
    outcome = f"{run.outcome}: {run.message}" if run.message else run.outcome
    return Event(run.started_at, event, run.version.number, f"{run.hook.name}: {outcome}")


@dataclass(frozen=True, slots=True)
class Harvested:
    """What an instrument acquired on one day."""

    instrument_id: uuid.UUID
    day: date
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many files are in a state, and since when the oldest of them is (UTC)."""

    state: str
    files: int
    oldest_since: datetime


def harvested(session: Session, viewer: User, first_day: date, last_day: date) -> list[Harvested]:
    """Files and bytes by acquisition day and instrument, from ``first_day`` to ``last_day``, both included.

    Raises ``InvalidInput`` for more than 366 days.
    """
    if not 0 <= (last_day - first_day).days < MOST_DAYS:
        raise InvalidInput("from_day", f"must lie before to_day, and at most {MOST_DAYS} days apart")
    keys = FileVersion.acquisition_day, FileVersion.instrument_id
    totals = func.count(), func.sum(FileVersion.size_bytes)
    query = _newest(session, select(*keys, *totals), viewer).where(
        FileVersion.acquisition_day.between(first_day, last_day)
    )
    rows = session.execute(query.group_by(*keys).order_by(*keys))
    return [Harvested(instrument_id, day, files, int(size)) for day, instrument_id, files, size in rows]


def state_counts(session: Session, viewer: User) -> list[StateCount]:
    """The states that files are in, in alphabetical order."""
    visible = FileVersion.is_newest & visible_versions(session, viewer)
    state, indexed = FileVersion.state, FileVersion.indexed_state
    by_index = select(indexed, func.count(), func.min(FileVersion.indexed_since)).where(visible).group_by(indexed)
    rows = [tuple(row) for row in session.execute(by_index)]
    if any(word == UNDERWAY_WORD for word, _, _ in rows):  # these few are read themselves
        underway = select(state, func.count(), func.min(FileVersion.state_since)).where(visible).group_by(state)
        rows = [row for row in rows if row[0] != UNDERWAY_WORD]
        rows += [tuple(row) for row in session.execute(underway.where(indexed == UNDERWAY_WORD))]
    return [StateCount(*row) for row in sorted(rows)]


def _newest(session: Session, query: Select[AnyRow], viewer: User) -> Select[AnyRow]:
    return query.where(FileVersion.is_newest, visible_versions(session, viewer))


def transfers(
    session: Session,
    viewer: User,
    request: PageRequest,
    *,
    file_id: uuid.UUID | None = None,
    instrument_id: uuid.UUID | None = None,
    status: TransferStatus | None = None,
) -> Page[Transfer]:
    """The transfers of files that ``viewer`` may see, newest first, with storage location and run."""
    asked = {"file_id": file_id, "instrument_id": instrument_id, "status": status}
    wanted = {name: value for name, value in asked.items() if value is not None}
    query = _with_places_and_runs().where(*(_is(name, value) for name, value in wanted.items()))
    if viewer.is_admin:
        return page_of(session, query, _NEWEST_TRANSFER, request)
    return page_of(session, query, _NEWEST_TRANSFER, request, narrowed=partial(_first_visible, session, viewer, wanted))


def transfer_by_id(session: Session, viewer: User, transfer_id: uuid.UUID) -> Transfer:
    """Raises ``NotFound`` for what ``viewer`` may not see, too."""
    query = _with_places_and_runs().join(FileRecord, FileRecord.id == Transfer.file_id)
    transfer = session.scalar(query.where(Transfer.id == transfer_id, visible_files(session, viewer)))
    if transfer is None:
        raise NotFound("Transfer")
    return transfer


def _with_places_and_runs() -> Select[tuple[Transfer]]:
    return select(Transfer).options(joinedload(Transfer.storage_location), joinedload(Transfer.run))


def _first_visible(
    session: Session, viewer: User, wanted: Mapping[str, Any], place: Place, values: Values
) -> ColumnElement[bool]:
    scope = access_scope_of(session, viewer)
    values = {**values, **scope.values, **wanted}
    few = few_covered(session, scope)
    if few is not None:
        return Transfer.id.in_(session.scalars(_first_of_few(tuple(wanted), place), {**values, "few": few}).all())
    return Transfer.id.in_(_visible_list(scope.kinds, tuple(wanted), place).first(session, values))


@lru_cache(KEPT_LISTS)
def _first_of_few(wanted: tuple[str, ...], place: Place) -> Ids:
    few = _is("file_id", any_(bindparam("few", type_=ARRAY(Uuid))))
    return place.applied(_shown(wanted).where(few).with_only_columns(Transfer.id))


@lru_cache(KEPT_LISTS)
def _visible_list(kinds: tuple[Kind, ...], wanted: tuple[str, ...], place: Place) -> WalkedList:
    visible, walked = _shown(wanted).where(covered_by(kinds)), _shown(wanted).where(covered_one_by_one(kinds))
    return walked_list(visible, select(Transfer), place, walked=walked)


def _shown(wanted: tuple[str, ...]) -> Select[tuple[Transfer]]:
    """Transfers of files that were not withdrawn; what is ``wanted`` of them are parameters of these names."""
    columns = Transfer.__table__.c
    rows = select(Transfer).where(*(_is(name, bindparam(name, type_=columns[name].type)) for name in wanted))
    return rows.join(FileRecord, FileRecord.id == Transfer.file_id).where(FileRecord.withdrawn_at.is_(None))


def _is(name: str, value: Any) -> ColumnElement[bool]:
    """Over ``Transfer``: this column has this value. A file's transfers are found by its versions, as indexes are."""
    if name == "file_id":
        return Transfer.version_id.in_(select(FileVersion.id).where(FileVersion.file_id == value))
    condition: ColumnElement[bool] = Transfer.__table__.c[name] == value
    return condition
