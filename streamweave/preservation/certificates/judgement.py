"""May a file be deleted at the source? Safe, or every reason why not. Pure.

Everything counts against safety that is not known: people delete originals because of this answer.

A clock that is off is no reason. What is compared are sizes and times that the same server tells, for equality, and
looks and copies are put in order by our own clock alone. A failed enrichment is no reason either: bytes don't need it.

Why a file must stay at the source, in a word and in a sentence. Pure.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from streamweave.catalog.tables import VersionState
from streamweave.catalog.tables.files import DONE
from streamweave.errors import NotAFile, StorageError
from streamweave.preservation.certificates.evidence import (
    NOT_ASKED,
    Circumstances,
    CopyEvidence,
    CopyFound,
    FileEvidence,
    LastScan,
    LocationEvidence,
)
from streamweave.preservation.selection import INTERVAL
from streamweave.storage.file_io import is_unmodified, time_of

LOOK_WITHIN = timedelta(days=1)
"""A complete look that ended longer ago says nothing about today."""
REREAD_WITHIN = INTERVAL
"""A copy that was last re-read longer ago than the nightly sweeps promise may have been damaged since."""


class Reason(StrEnum):
    """Why a file must stay. The order is that in which people should read them."""

    NEVER_ARCHIVED = "never_archived"
    NOT_FINISHED = "not_finished"
    NOT_DECIDED = "not_decided"
    COPY_PENDING = "copy_pending"
    COPY_FAILED = "copy_failed"
    UNFINISHED = "unfinished"
    WITH_RESERVATION = "with_reservation"
    NO_DESTINATION = "no_destination"
    LOCATION_DISABLED = "location_disabled"
    LOCATION_HELD = "location_held"
    NO_COPY = "no_copy"
    LOCATION_NOT_THERE = "location_not_there"
    LOCATION_UNREACHABLE = "location_unreachable"
    COPY_MISSING = "copy_missing"
    COPY_SIZE_DIFFERS = "copy_size_differs"
    COPY_MODIFIED = "copy_modified"
    COPY_NOT_SEEN = "copy_not_seen"
    COPY_DAMAGED = "copy_damaged"
    COPY_NOT_PROVEN = "copy_not_proven"
    NOT_REREAD = "not_reread"
    NO_COMPLETE_LOOK = "no_complete_look"
    LOOK_TOO_OLD = "look_too_old"
    OTHER_ADDRESS = "other_address"
    SHARE_DOUBTED = "share_doubted"
    FOLDER_NOT_LISTED = "folder_not_listed"
    NOT_SEEN_SINCE = "not_seen_since"
    SOURCE_NOT_REREAD = "source_not_reread"
    SOURCE_DIFFERS = "source_differs"
    ARCHIVE_NOT_REREAD = "archive_not_reread"


SENTENCES = {
    Reason.NEVER_ARCHIVED: "was never archived, and won't be as things stand",
    Reason.NOT_FINISHED: "is not finished: the instrument may still be writing",
    Reason.NOT_DECIDED: "waits for the decision whether and where it is archived",
    Reason.COPY_PENDING: "waits for a copy",
    Reason.COPY_FAILED: "could not be copied",
    Reason.UNFINISHED: "was archived while the instrument may still have been writing it",
    Reason.WITH_RESERVATION: "was archived with a reservation",
    Reason.NO_DESTINATION: "is meant for no storage location: no enabled schedule names one",
    Reason.LOCATION_DISABLED: "is meant for a storage location that is out of use",
    Reason.LOCATION_HELD: "has a copy where too much is damaged at once: nobody has looked at that location yet",
    Reason.NO_COPY: "has no copy in a storage location that it is meant for",
    Reason.LOCATION_NOT_THERE: "has a copy in a storage location that is not there, or not the place that was marked",
    Reason.LOCATION_UNREACHABLE: "has a copy in a storage location that can't be reached at present",
    Reason.COPY_MISSING: "has a copy that is not at its place",
    Reason.COPY_SIZE_DIFFERS: "has a copy with another size than was archived",
    Reason.COPY_MODIFIED: "has a copy that was modified after it was archived",
    Reason.COPY_NOT_SEEN: "has a copy that can't be asked for at present",
    Reason.COPY_DAMAGED: "has a damaged copy",
    Reason.COPY_NOT_PROVEN: "has a copy whose proof is not that of this content",
    Reason.NOT_REREAD: f"has a copy that was not re-read in the last {REREAD_WITHIN.days} days",
    Reason.NO_COMPLETE_LOOK: "was on a share that was never seen as a whole",
    Reason.LOOK_TOO_OLD: f"was last looked at more than {LOOK_WITHIN // timedelta(hours=1)} hours ago",
    Reason.OTHER_ADDRESS: "was last looked at where the instrument's files no longer are",
    Reason.SHARE_DOUBTED: "is on a share that has looked wrong since (empty, or far smaller than what is known)",
    Reason.FOLDER_NOT_LISTED: "lies in a folder that the last look could not list",
    Reason.NOT_SEEN_SINCE: "has not been seen unchanged since it was archived: the next complete look tells",
    Reason.SOURCE_NOT_REREAD: "could not be read again at the source",
    Reason.SOURCE_DIFFERS: "has another content at the source than in the archive",
    Reason.ARCHIVE_NOT_REREAD: "has a copy that could not be read again",
}
"""Each goes on from "the file …"."""


RULES = "4"
"""The version of what is decided here: raised whenever a file could be judged differently."""


class Verdict(StrEnum):
    """``gone``: it no longer stands at the source, so there is nothing to delete."""

    SAFE = "safe"
    NOT_SAFE = "not_safe"
    GONE = "gone"


_OF_STATES = {
    VersionState.SETTLING: Reason.NOT_FINISHED,
    VersionState.OVERDUE: Reason.NOT_FINISHED,
    VersionState.SETTLED: Reason.NOT_DECIDED,
    VersionState.PENDING: Reason.COPY_PENDING,
    VersionState.FAILED: Reason.COPY_FAILED,
}


@dataclass(frozen=True, slots=True)
class ReasonFound:
    """One reason why a file must stay, with what exactly was found."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer for one file. A file is safe when nothing was found against it."""

    verdict: Verdict
    findings: tuple[ReasonFound, ...] = ()


def judge(file: FileEvidence, circumstances: Circumstances) -> Judgement:
    """Decide about one file; all that speaks against it is told, not only the first."""
    if file.gone_at is not None:
        return Judgement(Verdict.GONE)
    checks: tuple[Callable[[FileEvidence, Circumstances], Iterator[ReasonFound]], ...] = (
        _state,
        _copies,
        _look,
        _rereads,
    )
    findings = tuple(finding for check in checks for finding in check(file, circumstances))
    return Judgement(Verdict.NOT_SAFE if findings else Verdict.SAFE, findings)


def required_places(file: FileEvidence, circumstances: Circumstances) -> tuple[LocationEvidence, ...]:
    """Where a file must have a copy: what the schedules name now; if redirected, wherever it has ever had one."""
    if not file.is_redirected:
        return circumstances.destinations
    return tuple({copy.place.id: copy.place for copy in file.copies}.values())


def _state(file: FileEvidence, _: Circumstances) -> Iterator[ReasonFound]:
    if file.state not in DONE:
        reason = _OF_STATES.get(VersionState(file.state), Reason.NEVER_ARCHIVED)
        yield ReasonFound(reason, f"{file.state}: {file.reason}" if file.reason else file.state)
    elif file.sha256 is None or file.xxhash is None:
        yield ReasonFound(Reason.COPY_NOT_PROVEN, f"the catalog says {file.state} and knows no checksum")
    else:
        yield from _reservations(file)


def _reservations(file: FileEvidence) -> Iterator[ReasonFound]:
    if file.unfinished is not None:
        yield ReasonFound(Reason.UNFINISHED, file.unfinished)
    if file.state == VersionState.ARCHIVED and file.reason not in ("", file.unfinished):
        yield ReasonFound(Reason.WITH_RESERVATION, file.reason)


def _copies(file: FileEvidence, circumstances: Circumstances) -> Iterator[ReasonFound]:
    if file.sha256 is None:  # nothing was ever copied of it, as its state tells
        return
    places = required_places(file, circumstances)
    if not places and not file.is_redirected:
        yield ReasonFound(Reason.NO_DESTINATION, "no enabled schedule names a storage location")
    elif not places:
        yield ReasonFound(Reason.NO_COPY, "redirected, and without any copy")
    for place in places:
        if not place.is_open:
            yield ReasonFound(Reason.LOCATION_DISABLED, place.name)
        yield from _in_place(file, place, circumstances)


def _in_place(file: FileEvidence, place: LocationEvidence, circumstances: Circumstances) -> Iterator[ReasonFound]:
    """A damaged copy counts until an intact one stands beside it: a repair leaves the damaged bytes as evidence."""
    here = [copy for copy in file.copies if copy.place.id == place.id]
    completed = [copy for copy in here if copy.is_completed]
    damaged = [copy for copy in here if copy.damage is not None and (copy.is_completed or not completed)]
    if any(each.held for each in [place, *(copy.place for copy in here)]):
        yield ReasonFound(Reason.LOCATION_HELD, place.name)  # why is told to admins: it counts other people's files
    if not here:
        yield ReasonFound(Reason.NO_COPY, place.name)
    for copy in damaged:
        yield ReasonFound(Reason.COPY_DAMAGED, f"{place.name}: {copy.damage}")
    trouble = circumstances.troubles.get(place.id)
    if completed and trouble is not None:
        reason = Reason.LOCATION_NOT_THERE if trouble.is_other_place else Reason.LOCATION_UNREACHABLE
        yield ReasonFound(reason, f"{place.name}: {trouble.sentence}")
    for copy in completed:
        if trouble is None:
            yield from _at_its_place(copy, circumstances.copies.get(copy.transfer_id, NOT_ASKED))
        yield from _proof(file, copy, circumstances.now)


def _at_its_place(copy: CopyEvidence, found: CopyFound) -> Iterator[ReasonFound]:
    """What can be seen of a copy without reading it; its content is known from when it was last proven."""
    where = f"{copy.place.name}: {copy.path}"
    if found is None:
        yield ReasonFound(Reason.COPY_MISSING, where)
    elif isinstance(found, NotAFile):
        yield ReasonFound(
            Reason.COPY_MISSING, f"{where}: a folder or a link is there, or something else that is no file"
        )
    elif isinstance(found, StorageError):
        yield ReasonFound(Reason.COPY_NOT_SEEN, f"{where}: {found}")
    elif copy.size_bytes not in (None, found.size_bytes):  # without a size it is not proven anyway
        yield ReasonFound(
            Reason.COPY_SIZE_DIFFERS, f"{where}: {found.size_bytes} bytes, archived were {copy.size_bytes}"
        )
    elif not _is_unmodified(copy, found.mtime_ns):
        yield ReasonFound(Reason.COPY_MODIFIED, f"{where}: on {_told(time_of(found.mtime_ns))}")


def _is_unmodified(copy: CopyEvidence, mtime_ns: int) -> bool:
    proofs = [time for time in (copy.catalogued_at, copy.last_reread_at) if time is not None]
    return bool(proofs) and is_unmodified(mtime_ns, copy.source_mtime, max(proofs))


def _proof(file: FileEvidence, copy: CopyEvidence, now: datetime) -> Iterator[ReasonFound]:
    came_with_a_disk = copy.xxhash_read_back is None and copy.last_reread_at != copy.catalogued_at
    read_back = copy.xxhash_read if came_with_a_disk else copy.xxhash_read_back  # re-readings compare the SHA-256
    read_as = (copy.size_bytes, copy.xxhash_read, read_back)
    if not copy.is_verified or copy.catalogued_at is None or read_as != (file.size_bytes, file.xxhash, file.xxhash):
        yield ReasonFound(Reason.COPY_NOT_PROVEN, copy.place.name)
    if copy.last_reread_at is None:
        yield ReasonFound(Reason.NOT_REREAD, f"{copy.place.name}: never on record")
    elif not copy.last_reread_at <= now <= copy.last_reread_at + REREAD_WITHIN:
        yield ReasonFound(Reason.NOT_REREAD, f"{copy.place.name}: last on {_told(copy.last_reread_at)}")


def _look(file: FileEvidence, circumstances: Circumstances) -> Iterator[ReasonFound]:
    look = circumstances.look
    if look is None:
        yield ReasonFound(Reason.NO_COMPLETE_LOOK, "no look at this share has seen all of it")
        return
    if not look.ended_at <= circumstances.now <= look.ended_at + LOOK_WITHIN:
        yield ReasonFound(Reason.LOOK_TOO_OLD, f"the last complete look ended on {_told(look.ended_at)}")
    if look.address != circumstances.address:
        yield ReasonFound(
            Reason.OTHER_ADDRESS, f"that look was at {look.address or 'an address that is not on record'}"
        )
    if circumstances.doubted_at is not None:
        yield ReasonFound(Reason.SHARE_DOUBTED, f"by the look of {_told(circumstances.doubted_at)}")
    yield from _what_it_saw(file, look)


def _what_it_saw(file: FileEvidence, look: LastScan) -> Iterator[ReasonFound]:
    """A complete look leaves a file alone that is as the catalog says: so it confirms what the catalog said before."""
    if hidden := look.hides(file.folder):
        yield ReasonFound(Reason.FOLDER_NOT_LISTED, f"{hidden}: {look.unlisted[hidden]}")
    elif not look.names_all_unlisted:
        yield ReasonFound(Reason.FOLDER_NOT_LISTED, f"perhaps: {look.unlisted_count} folders could not be listed")
    if file.state in DONE:
        known = _known_since(file)
        if look.covers_since <= known:
            began = f"the last complete look began on {_told(look.covers_since)}"
            yield ReasonFound(Reason.NOT_SEEN_SINCE, f"as it is since {_told(known)}; {began}")


def _known_since(file: FileEvidence) -> datetime:
    """When the catalog last learned anything that a look must have confirmed since."""
    catalogued = (copy.catalogued_at for copy in file.copies)
    return max(time for time in (file.state_since, file.back_at, *catalogued) if time is not None)


def _rereads(file: FileEvidence, _: Circumstances) -> Iterator[ReasonFound]:
    """What was found of a copy stands in its evidence as it stands on record; here is left that nothing was found."""
    source = file.reread
    if source is not None and source.error is not None:
        yield ReasonFound(Reason.SOURCE_NOT_REREAD, source.error)
    elif source is not None and (source.size_bytes, source.sha256) != (file.size_bytes, file.sha256):
        yield ReasonFound(Reason.SOURCE_DIFFERS, f"{source.size_bytes} bytes with SHA-256 {source.sha256}")
    for copy in file.copies:
        if copy.not_reread is not None:
            yield ReasonFound(Reason.ARCHIVE_NOT_REREAD, f"{copy.place.name}: {copy.not_reread}")


def _told(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
