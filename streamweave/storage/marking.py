"""How a place gets the mark of its storage location, and is recognised by it from then on.

A new location is marked when it is entered. One from a release without such marks is marked when it is first opened, if
the place holds what the catalog says. Any other place is refused, until an admin adopts it on purpose. Rows are locked
while a place is marked, so the mark on record and the mark at the place are the same one.
"""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.catalog.schema import catalog_id
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import IS_COMPLETED, FileVersion, StorageLocation, StorageType, Transfer
from streamweave.errors import StorageError, StorageRefused
from streamweave.storage.base import Storage
from streamweave.storage.marks import MARK, FoundMark, Mark, NoMark, mark_above, refusal, why_not_apart

OpenStorage = Callable[[StorageLocation], Storage]

HOW_TO_ENTER = (
    "Choose another folder; or, if nothing else is to use this one any more, take it over: enter the location with "
    '"adopt": true'
)
LOCK = {"key_share": True}
"""Of the row while its place is marked: transfers and schedules may still refer to it."""
SAMPLE = 5
"""So many of the oldest, and of the newest copies must exist at a place with an early mark."""
ANSWERS_WITHIN_SECONDS = 5.0
"""A call to a network file system whose server is gone may never return."""

Answer = TypeVar("Answer")

_asked: dict[str, tuple[Future[Any], float]] = {}
_late: dict[str, Future[Any]] = {}
_lock = threading.Lock()


def open_marked(
    sessions: Sessions, open_storage: OpenStorage, location: StorageLocation, *, to_write: bool = False
) -> Storage:
    """The storage behind ``location``, found by its mark to be that place; made ready for writing if asked for.

    A refusal is on record with the location until its place is found again. Raises ``StorageError``.
    """
    storage = open_storage(location)
    try:
        found = storage.found_mark()
        with sessions.begin() as session:
            mark = recognise_place(session, storage, location.id, found)
        storage.check_mark(mark)
    except StorageRefused as error:
        _record_refusal(sessions, location.id, str(error))
        raise
    if to_write:
        storage.prepare(mark)
    return storage


def recognise_place(session: Session, storage: Storage, location_id: uuid.UUID, found: FoundMark) -> Mark:
    """The mark ``found`` at the place, if it is the location's; a place with an early mark is marked anew.

    The caller commits. Raises ``StorageError``.
    """
    row = session.get_one(StorageLocation, location_id)
    if row.marked_at is None and found is NoMark.EARLY:
        return _mark_anew(session, storage, row)
    if why := _sentence(session, row, found, expected := _expected(session, row, found)):
        raise StorageRefused(_with_advice(why, _what_to_do(row, found, expected)))
    assert isinstance(found, Mark)
    if row.marked_at != found.made_at or row.refusal is not None:
        session.refresh(row, with_for_update=LOCK)
        row.marked_at, row.refused_at, row.refusal = found.made_at, None, None
    return found


def mark_new_place(session: Session, storage: Storage, location: StorageLocation, *, adopt: bool = False) -> None:
    """Mark the place of a location that is being entered or moved, and make it ready. The caller commits.

    A mark that an uncommitted attempt left behind, or of a deleted location, is replaced; with ``adopt`` any mark is.
    Raises ``StorageRefused`` for a place that is, or may be, another location's or catalog's.
    """
    mark = Mark(location.id, catalog_id(session), _now(session))
    _refuse_twins(session, location)
    _refuse_place_within_a_strangers(location, mark.catalog_id)
    found = storage.found_mark()
    if found not in (NoMark.NO_FOLDER, NoMark.MISSING):
        if not adopt and not _is_abandoned(session, storage, found, mark):
            raise StorageRefused(_with_advice(_sentence(session, location, found, mark) or "", HOW_TO_ENTER))
        storage.put_mark(mark)
    storage.prepare(mark, is_new=True)
    location.marked_at, location.refused_at, location.refusal = mark.made_at, None, None


def adopt_place(session: Session, storage: Storage, location: StorageLocation) -> FoundMark:
    """Take the place over for ``location``, whatever mark it has; returns that mark. The caller commits.

    The catalog or location that it belonged to is refused there from now on. A folder that does not exist is not made.
    Raises ``StorageError``.
    """
    session.refresh(location, with_for_update=LOCK)
    found = storage.found_mark()
    mark = Mark(location.id, catalog_id(session), _now(session))
    storage.put_mark(mark)
    storage.prepare(mark)
    location.marked_at, location.refused_at, location.refusal = mark.made_at, None, None
    session.flush()
    return found


def found_at_place(session: Session, storage: Storage, location: StorageLocation) -> str | None:
    """Why the place would be refused as it is now; None if it would be accepted. Nothing is changed.

    Raises ``StorageError`` when the mark can't be read.
    """
    found = storage.found_mark()
    if location.marked_at is None and found is NoMark.EARLY:
        return None
    return _sentence(session, location, found, _expected(session, location, found))


def _expected(session: Session, location: StorageLocation, found: FoundMark) -> Mark:
    """A location that was never marked, as in an early dump, is recognised by its ids alone."""
    made_at = location.marked_at or (found.made_at if isinstance(found, Mark) else _now(session))
    return Mark(location.id, catalog_id(session), made_at)


def _sentence(session: Session, location: StorageLocation, found: FoundMark, expected: Mark) -> str | None:
    other = session.get(StorageLocation, found.location_id) if isinstance(found, Mark) else None
    return refusal(location.base_path, found, expected, other.name if other else None)


def _mark_anew(session: Session, storage: Storage, row: StorageLocation) -> Mark:
    session.refresh(row, with_for_update=LOCK)
    if row.marked_at is not None:  # another process was faster
        return Mark(row.id, catalog_id(session), row.marked_at)
    _refuse_twins(session, row, of_marked=True)
    if why := _what_is_missing(session, storage, row):
        raise StorageRefused(_with_advice(why, _how_to_adopt(row)))
    mark = Mark(row.id, catalog_id(session), _now(session))
    storage.put_mark(mark)
    row.marked_at, row.refused_at, row.refusal = mark.made_at, None, None
    return mark


def _what_is_missing(session: Session, storage: Storage, location: StorageLocation) -> str | None:
    """Why a place with an early mark is not what the catalog says; None if it is, as far as a sample shows."""
    copies = _sample(session, location)
    if not copies and (path := next(storage.paths(), None)) is not None:
        return f"{storage.address(path)} exists, but the catalog knows of no intact file in {location.name}"
    for path, size_bytes in copies:
        if not _has_size(storage, path, size_bytes):
            return f"{storage.address(path)} should exist with {size_bytes} bytes, and does not: is it the right disk?"
    return None


def _sample(session: Session, location: StorageLocation) -> list[tuple[str, int]]:
    copies = (
        select(Transfer.destination_path, FileVersion.size_bytes)
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .where(
            Transfer.storage_location_id == location.id,
            IS_COMPLETED,
            Transfer.damage.is_(None),
        )
        .limit(SAMPLE)
    )
    rows = [*session.execute(copies.order_by(Transfer.id)), *session.execute(copies.order_by(Transfer.id.desc()))]
    return [(path, size_bytes) for path, size_bytes in dict.fromkeys(map(tuple, rows))]


def _has_size(storage: Storage, path: str, size_bytes: int) -> bool:
    """Whether reading from the last byte on gives just that one."""
    last = max(size_bytes - 1, 0)
    try:
        return last + sum(len(piece) for piece in storage.read(path, last)) == size_bytes
    except StorageError:
        return False


def _is_abandoned(session: Session, storage: Storage, found: FoundMark, mark: Mark) -> bool:
    """Whether it is a mark of our catalog whose location is deleted, or was never committed and holds nothing."""
    if not isinstance(found, Mark) or found.catalog_id != mark.catalog_id:
        return False
    other = session.get(StorageLocation, found.location_id)
    if other is None:
        return next(storage.paths(), None) is None
    return other.is_deleted or other.id == mark.location_id


def _refuse_twins(session: Session, location: StorageLocation, *, of_marked: bool = False) -> None:
    """Raise ``StorageRefused`` if the place is, holds, or lies in that of another location, by whatever path."""
    if location.type != StorageType.POSIX:
        return
    others = select(StorageLocation).where(
        StorageLocation.id != location.id,
        StorageLocation.type == StorageType.POSIX,
        StorageLocation.deleted_at.is_(None),
    )
    if of_marked:
        others = others.where(StorageLocation.marked_at.is_not(None))
    for other in session.scalars(others):
        if why := why_not_apart(location.base_path, other.base_path):
            raise StorageRefused(f"{location.base_path} {why} the storage location {other.name!r} ({other.base_path})")


def _refuse_place_within_a_strangers(location: StorageLocation, ours: uuid.UUID) -> None:
    """Our own locations are compared by their places; a mark of ours above may be left from one that has moved."""
    above = mark_above(location.base_path) if location.type == StorageType.POSIX else None
    if above is None:
        return
    folder, mark = above
    if isinstance(mark, Mark) and mark.catalog_id == ours:
        return
    raise StorageRefused(
        f"{location.base_path} lies within {folder}, {_whose(mark)}. Choose another folder; or, if "
        f"{folder} is no longer used as a storage location, remove {folder / MARK}"
    )


def _whose(found: FoundMark) -> str:
    match found:
        case NoMark.EARLY:
            return "which has the mark of an earlier release, and that does not say whose it is"
        case Mark():
            return f"the storage location of another catalog ({found.catalog_id})"
    return "which has a mark of a storage location that can't be read as one"


def _record_refusal(sessions: Sessions, location_id: uuid.UUID, sentence: str) -> None:
    with sessions.begin() as session:
        row = session.get_one(StorageLocation, location_id, with_for_update=LOCK)
        if row.refusal != sentence:
            row.refusal, row.refused_at = sentence, row.refused_at or _now(session)


def _what_to_do(location: StorageLocation, found: FoundMark, expected: Mark) -> str:
    """Nothing can be taken over where no folder is; disks that were exchanged are to be mounted at their places."""
    if found is NoMark.NO_FOLDER:
        return ""
    if isinstance(found, Mark) and found.catalog_id == expected.catalog_id:
        return f"Mount each disk at its place. {_how_to_adopt(location, 'Only if that place is given up')}"
    return _how_to_adopt(location)


def _with_advice(sentence: str, advice: str) -> str:
    return f"{sentence}{'' if sentence.endswith('?') else '.'} {advice}".rstrip()


def _how_to_adopt(location: StorageLocation, when: str = "If it is the right place all the same") -> str:
    return f"{when}, take it over: streamweave storage adopt {location.name!r}"


def _now(session: Session) -> datetime:
    """The database's clock."""
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now


def answered(what: str, question: Callable[[], Answer]) -> Answer:
    """The answer to ``question``, which is known by the name ``what``. The storage may never answer.

    While one is asked, no second one is: all callers wait for the same answer, so hanging questions don't gather.
    Raises what it raises, or ``TimeoutError`` when no answer has come within ``ANSWERS_WITHIN_SECONDS`` of asking.
    """
    with _lock:
        answer, asked_at = _asked.get(what, (None, 0.0))
        if answer is None or answer.done():
            answer, asked_at = Future(), time.monotonic()
            _asked[what] = answer, asked_at
            threading.Thread(target=_ask, args=(question, answer), daemon=True).start()
    remaining = asked_at + ANSWERS_WITHIN_SECONDS - time.monotonic()
    return cast(Answer, answer.result(max(remaining, 0.0)))


def answered_anew(what: str, question: Callable[[], Answer], within_seconds: float) -> Answer:
    """The answer to ``question``, asked now, and for this caller alone.

    Raises what it raises, or ``TimeoutError`` when no answer has come within so many seconds; at once while an earlier
    question known by the name ``what`` still hangs, so that threads don't gather for a server that is gone.
    """
    late = _late.get(what)
    if late is not None and not late.done():
        raise TimeoutError(what)
    answer: Future[Any] = Future()
    threading.Thread(target=_ask, args=(question, answer), daemon=True).start()
    try:
        return cast(Answer, answer.result(within_seconds))
    except TimeoutError:
        _late[what] = answer
        raise


def _ask(question: Callable[[], Any], answer: "Future[Any]") -> None:
    try:
        answer.set_result(question())
    except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
        answer.set_exception(error)
