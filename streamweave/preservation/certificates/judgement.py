"""May a file be deleted at the source? Safe, or every reason why not. Pure.

Everything that is not known counts against safety: people delete originals because of this answer. A clock that is off
is no reason: sizes and times of one server are compared for equality only, and scans and copies are ordered by our own
clock alone. A failed enrichment is no reason either: bytes don't need it.
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
from streamweave.preservation.reread import INTERVAL
from streamweave.printable import counted
from streamweave.storage.file_io import is_unmodified, time_of

RULES = "4"
"""The version of what is decided here: raised whenever a file could be judged differently."""
SCAN_WITHIN = timedelta(days=1)
"""A complete scan that ended longer ago says nothing about today."""
REREAD_WITHIN = INTERVAL
"""A copy that was last re-read longer ago than the nightly sweeps promise may have been damaged since."""


class Reason(StrEnum):
    """Why a file must stay, in the order in which people should read them; "look" is what certificates call a scan.

    ``sentence`` continues "the file …".
    """

    sentence: str

    def __new__(cls, word: str, sentence: str) -> "Reason":
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.sentence = sentence
        return reason

    NEVER_ARCHIVED = "never_archived", "was never archived, and won't be as it is configured"
    NOT_FINISHED = "not_finished", "is not finished: the instrument may still be writing"
    NOT_DECIDED = "not_decided", "waits for the decision whether and where it is archived"
    COPY_PENDING = "copy_pending", "waits for a copy"
    COPY_FAILED = "copy_failed", "could not be copied"
    UNFINISHED = "unfinished", "was archived while the instrument may still have been writing it"
    WITH_RESERVATION = "with_reservation", "was archived with a reservation"
    NO_DESTINATION = "no_destination", "is meant for no storage location: no enabled schedule names one"
    LOCATION_DISABLED = "location_disabled", "is meant for a storage location that is out of use"
    LOCATION_HELD = "location_held", "has a copy where too much is damaged at once: it has not been released yet"
    NO_COPY = "no_copy", "has no copy in a storage location that it is meant for"
    LOCATION_NOT_THERE = (
        "location_not_there",
        "has a copy in a storage location that is not there, or another place",
    )
    LOCATION_UNREACHABLE = "location_unreachable", "has a copy in a storage location that can't be reached at present"
    COPY_MISSING = "copy_missing", "has a copy that is not at its place"
    COPY_SIZE_DIFFERS = "copy_size_differs", "has a copy with another size than was archived"
    COPY_MODIFIED = "copy_modified", "has a copy that was modified after it was archived"
    COPY_NOT_SEEN = "copy_not_seen", "has a copy that can't be asked for at present"
    COPY_DAMAGED = "copy_damaged", "has a damaged copy"
    COPY_NOT_PROVEN = "copy_not_proven", "has a copy whose proof is not that of this content"
    NOT_REREAD = "not_reread", f"has a copy that was not re-read in the last {REREAD_WITHIN.days} days"
    NO_COMPLETE_LOOK = "no_complete_look", "was on a share that was never scanned completely"
    LOOK_TOO_OLD = "look_too_old", f"was last scanned more than {SCAN_WITHIN // timedelta(hours=1)} hours ago"
    OTHER_ADDRESS = "other_address", "was last scanned where the instrument's files no longer are"
    SHARE_DOUBTED = (
        "share_doubted",
        "is on a share that was implausible since (empty, or far smaller than known)",
    )
    FOLDER_NOT_LISTED = "folder_not_listed", "lies in a folder that the last scan could not list"
    NOT_SEEN_SINCE = (
        "not_seen_since",
        "has not been seen unchanged since it was archived: the next complete scan may",
    )
    SOURCE_NOT_REREAD = "source_not_reread", "could not be read again at the source"
    SOURCE_DIFFERS = "source_differs", "has another content at the source than in the archive"
    ARCHIVE_NOT_REREAD = "archive_not_reread", "has a copy that could not be read again"


class Verdict(StrEnum):
    """``gone``: it is no longer at the source, so there is nothing to delete."""

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
    """Decide about one file; all that speaks against deleting it is reported, not only the first."""
    if file.gone_at is not None:
        return Judgement(Verdict.GONE)
    checks: tuple[Callable[[FileEvidence, Circumstances], Iterator[ReasonFound]], ...] = (
        _state,
        _copies,
        _scan,
        _rereads,
    )
    findings = tuple(finding for check in checks for finding in check(file, circumstances))
    return Judgement(Verdict.NOT_SAFE if findings else Verdict.SAFE, findings)


def required_places(file: FileEvidence, circumstances: Circumstances) -> tuple[LocationEvidence, ...]:
    """Where a file must have a copy: what the schedules name now; if redirected, everywhere it has ever had one."""
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
    if file.sha256 is None:  # nothing was ever copied of it, as its state shows
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
    """A damaged copy counts until there is an intact one: a repair leaves the damaged bytes as evidence."""
    here = [copy for copy in file.copies if copy.place.id == place.id]
    completed = [copy for copy in here if copy.is_completed]
    damaged = [copy for copy in here if copy.damage is not None and (copy.is_completed or not completed)]
    if any(each.held for each in [place, *(copy.place for copy in here)]):
        yield ReasonFound(Reason.LOCATION_HELD, place.name)  # the sentence is for admins
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
    """What can be known of a copy without reading it; its content was proven earlier."""
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
        yield ReasonFound(Reason.COPY_MODIFIED, f"{where}: on {_utc(time_of(found.mtime_ns))}")


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
        yield ReasonFound(Reason.NOT_REREAD, f"{copy.place.name}: last on {_utc(copy.last_reread_at)}")


def _scan(file: FileEvidence, circumstances: Circumstances) -> Iterator[ReasonFound]:
    scan = circumstances.last_scan
    if scan is None:
        yield ReasonFound(Reason.NO_COMPLETE_LOOK, "no scan has listed all of this share")
        return
    if not scan.ended_at <= circumstances.now <= scan.ended_at + SCAN_WITHIN:
        yield ReasonFound(Reason.LOOK_TOO_OLD, f"the last complete scan ended on {_utc(scan.ended_at)}")
    if scan.address != circumstances.address:
        where = scan.address or "an address that is not on record"
        yield ReasonFound(Reason.OTHER_ADDRESS, f"that scan was at {where}")
    if circumstances.doubted_at is not None:
        yield ReasonFound(Reason.SHARE_DOUBTED, f"by the scan of {_utc(circumstances.doubted_at)}")
    yield from _what_it_saw(file, scan)


def _what_it_saw(file: FileEvidence, scan: LastScan) -> Iterator[ReasonFound]:
    """A complete scan changes nothing of a file that is as the catalog says: it confirms what was recorded before."""
    if hidden := scan.hides(file.folder):
        yield ReasonFound(Reason.FOLDER_NOT_LISTED, f"{hidden}: {scan.unlisted[hidden]}")
    elif not scan.names_all_unlisted:
        folders = counted(scan.unlisted_count, "folder")
        yield ReasonFound(Reason.FOLDER_NOT_LISTED, f"perhaps: {folders} could not be listed")
    if file.state in DONE:
        known = _known_since(file)
        if scan.covers_since <= known:
            began = f"the last complete scan began on {_utc(scan.covers_since)}"
            yield ReasonFound(Reason.NOT_SEEN_SINCE, f"as it is since {_utc(known)}; {began}")


def _known_since(file: FileEvidence) -> datetime:
    """When the catalog last recorded anything that a scan must have confirmed since."""
    catalogued = (copy.catalogued_at for copy in file.copies)
    return max(time for time in (file.state_since, file.back_at, *catalogued) if time is not None)


def _rereads(file: FileEvidence, _: Circumstances) -> Iterator[ReasonFound]:
    """The result for a copy is in its evidence already; here are failed re-readings, and that of the source."""
    source = file.reread
    if source is not None and source.error is not None:
        yield ReasonFound(Reason.SOURCE_NOT_REREAD, source.error)
    elif source is not None and (source.size_bytes, source.sha256) != (file.size_bytes, file.sha256):
        yield ReasonFound(Reason.SOURCE_DIFFERS, f"{source.size_bytes} bytes with SHA-256 {source.sha256}")
    for copy in file.copies:
        if copy.not_reread is not None:
            yield ReasonFound(Reason.ARCHIVE_NOT_REREAD, f"{copy.place.name}: {copy.not_reread}")


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
