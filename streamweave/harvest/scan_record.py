"""What is on record of a scan: what it has seen, so that the next one can resume it, and its outcome.

A scan that runs out of time leaves a checkpoint: folders and missing files as ``Digests``, so that millions of them
fit. A resumed scan skips the folders that hold no folder and were seen before; the few others are listed again, since
they lead to the rest. Each scan is written down before it begins, and its outcome when it ends.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import digest_of_path
from streamweave.catalog.leases import BEAT_SECONDS, LEASE_SECONDS, beating
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument, Scan, ScanOutcome, UnfinishedLook
from streamweave.errors import AddressChanged, StreamWeaveError
from streamweave.facility import Facility
from streamweave.printable import counted
from streamweave.sources.base import FolderListing

DIGEST_BYTES = 16
RESUMED_WITHIN = timedelta(hours=1)
"""What was seen longer ago is scanned anew."""
MOST_UNLISTABLE_CHARACTERS = 4 << 20
"""Of paths and reasons that are stored of folders that could not be listed."""
NAMED_FOLDERS = 1_000
"""More unreadable folders than these are counted, and not named."""
FOLDERS_IN_A_SENTENCE = 3
LARGEST_COUNT = (1 << 63) - 1
"""The largest number that a column holds."""
INTERRUPTED = "interrupted"
"""The kind of an end that is none of our own errors: a bug, a signal, or a process that was killed."""
NOT_COLUMNS = {"extent", "unlisted"}


class Digests:
    """A set of MD5 digests in little more than the 16 bytes that each takes; a Python set needs 110 for each.

    Those that begin with the same 12 bits are in one string, which is searched: about 250 where there are a million.
    """

    def __init__(self, digests: Iterable[bytes] = ()) -> None:
        self._strings: dict[int, bytearray] = {}
        self._count = 0
        for digest in digests:
            self.add(digest)

    def add(self, digest: bytes) -> None:
        string = self._strings.setdefault(_beginning(digest), bytearray())
        if not _holds(string, digest):
            string += digest
            self._count += 1

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, bytes) and _holds(self._strings.get(_beginning(digest), b""), digest)

    def __iter__(self) -> Iterator[bytes]:
        for string in self._strings.values():
            for start in range(0, len(string), DIGEST_BYTES):
                yield bytes(string[start : start + DIGEST_BYTES])

    def __len__(self) -> int:
        return self._count


def _beginning(digest: bytes) -> int:
    return digest[0] << 4 | digest[1] >> 4


def _holds(string: bytes | bytearray, digest: bytes) -> bool:
    place = string.find(digest)
    while place > 0 and place % DIGEST_BYTES:  # found across two of them
        place = string.find(digest, place + 1)
    return place >= 0


@dataclass(frozen=True, slots=True)
class ScannedScope:
    """How much of a share has been seen.

    All of it was, since the moment ``since``, except ``unlistable_folders`` and what is below them. ``since`` is None
    when not all was seen, or the scan is not plausible.
    """

    since: datetime | None = None
    unlistable_folders: frozenset[str] = frozenset()

    def has_seen_all_of(self, folder: str) -> bool:
        """Whether the folder was seen, with all that is below it."""
        here, unlistable = f"{folder}/", [f"{each}/" for each in self.unlistable_folders]
        return self.since is not None and not any(here.startswith(each) or each.startswith(here) for each in unlistable)


@dataclass(slots=True)
class ScannedFolders:
    """Some folders of a share: which, how many files are in them, and which of the expected files are missing."""

    folders: Digests = field(default_factory=Digests)
    missing: Digests = field(default_factory=Digests)
    files: int = 0


@dataclass(slots=True)
class ScanCheckpoint:
    """What has been seen since ``started_at``. ``unlistable_folders`` are those that could not be listed, with reasons.

    Beyond ``MOST_UNLISTABLE_CHARACTERS`` they are only counted (``unlisted``), and nothing is concluded about any
    folder. ``leaves`` are folders that hold no folder, ``branches`` those that do.
    """

    started_at: datetime
    leaves: ScannedFolders = field(default_factory=ScannedFolders)
    branches: ScannedFolders = field(default_factory=ScannedFolders)
    unlistable_folders: dict[str, str] = field(default_factory=dict)
    is_resumed: bool = False
    unlisted: int = 0
    _unlistable_characters: int = 0

    def take(self, folder: str, files: int, *, is_leaf: bool) -> None:
        """A folder was listed completely, with so many files directly in it."""
        part = self.leaves if is_leaf else self.branches
        part.folders.add(digest_of_path(folder))
        part.files += files

    def take_unlisted(self, folder: str, reason: str) -> None:
        """A folder could not be listed."""
        if folder in self.unlistable_folders:
            return
        self.unlisted += 1
        self._unlistable_characters += len(folder) + len(reason)
        if self._unlistable_characters <= MOST_UNLISTABLE_CHARACTERS:
            self.unlistable_folders[folder] = reason
        else:
            self.unlistable_folders[folder.partition("/")[0]] = "more folders could not be listed than can be stored"

    def miss(self, source_paths: Iterable[str]) -> None:
        """Files were expected in the folders that were listed, and are missing."""
        for path in source_paths:
            in_a_leaf = digest_of_path(path.rpartition("/")[0]) in self.leaves.folders
            (self.leaves if in_a_leaf else self.branches).missing.add(digest_of_path(path))

    def __contains__(self, folder: object) -> bool:
        """Whether it need not be listed again."""
        return isinstance(folder, str) and digest_of_path(folder) in self.leaves.folders

    def has_seen(self, folder: str) -> bool:
        digest = digest_of_path(folder)
        return digest in self.leaves.folders or digest in self.branches.folders

    def is_hidden(self, folder: str) -> bool:
        """Whether it is, or is below, a folder that could not be listed."""
        while folder and self.unlistable_folders:
            if folder in self.unlistable_folders:
                return True
            folder = folder.rpartition("/")[0]
        return False

    @property
    def files(self) -> int:
        """How many files are on what has been seen of the share."""
        return self.leaves.files + self.branches.files

    @property
    def missing(self) -> Iterable[bytes]:
        """The digests of the files that should be there, and are not."""
        yield from self.leaves.missing
        yield from self.branches.missing

    @classmethod
    def resumed(cls, session: Session, instrument: Instrument, now: datetime) -> Self:
        """What the last scan has seen, if it ran out of time not long ago, at the present address; or nothing."""
        last = session.get(UnfinishedLook, instrument.id)
        if last is None or last.cut_short_at < now - RESUMED_WITHIN or last.address != address_of(instrument):
            return cls(now)
        leaves = ScannedFolders(Digests(_split(last.folders)), Digests(_split(last.missing)), last.files)
        return cls(last.started_at, leaves, is_resumed=True)

    def save(self, session: Session, instrument: Instrument, now: datetime) -> None:
        session.merge(
            UnfinishedLook(
                instrument_id=instrument.id,
                address=address_of(instrument),
                started_at=self.started_at,
                cut_short_at=now,
                folders=b"".join(self.leaves.folders),
                missing=b"".join(self.leaves.missing),
                files=self.leaves.files,
            )
        )


def delete_checkpoint(session: Session, instrument_id: uuid.UUID) -> None:
    """The whole share has been seen: the next scan starts from the beginning."""
    session.execute(delete(UnfinishedLook).where(UnfinishedLook.instrument_id == instrument_id))


def expect_address(session: Session, instrument: Instrument) -> None:
    """Raise ``AddressChanged`` when the catalog has another address for the instrument than this run knows of.

    The caller holds the instrument's lock; a change of address takes it too.
    """
    if address_of(session.get_one(Instrument, instrument.id)) != address_of(instrument):
        raise AddressChanged(f"{instrument.name} was given another address while {address_of(instrument)} was scanned")


def address_of(instrument: Instrument) -> str:
    return f"//{instrument.cifs_host}:{instrument.cifs_port}/{instrument.cifs_share}/{instrument.cifs_base_path}"


def _split(digests: bytes) -> Iterable[bytes]:
    return (digests[start : start + DIGEST_BYTES] for start in range(0, len(digests), DIGEST_BYTES))


@dataclass(slots=True)
class ScanResult:
    """What one scan has seen so far. ``bytes`` counts the sizes of all files seen.

    A ``continued`` scan resumes where the last one ran out of time: what that one saw is not counted again, and
    ``covers_since`` is when the first of them began. ``unlisted`` are the folders that could not be listed, with
    reasons; ``NAMED_FOLDERS`` of them are stored.
    """

    folders: int = 0
    files: int = 0
    bytes: int = 0
    new_files: int = 0
    changed_files: int = 0
    gone_files: int = 0
    unreadable_folders: int = 0
    continued: bool = False
    acknowledged: bool = False
    covers_since: datetime | None = None
    address: str | None = None
    unlisted: Mapping[str, str] = field(default_factory=dict)
    outcome: ScanOutcome = ScanOutcome.COMPLETE
    error_kind: str | None = None
    error_message: str | None = None
    extent: ScannedScope = field(default_factory=ScannedScope)
    """How much of the share this scan, with those that it resumed, has seen; not stored."""

    def note(self, listings: Sequence[FolderListing]) -> None:
        """Count what is in folders that were listed, or in parts of them."""
        self.folders += sum(listing.ends for listing in listings)
        self.files += sum(len(listing.files) for listing in listings)
        size = sum(file.size_bytes for listing in listings for file in listing.files)
        self.bytes = min(self.bytes + size, LARGEST_COUNT)

    def fail(self, error: BaseException) -> None:
        self.outcome = ScanOutcome.FAILED
        if isinstance(error, StreamWeaveError):
            self.error_kind, self.error_message = error.kind(), str(error)
        else:
            self.error_kind, self.error_message = INTERRUPTED, f"{type(error).__name__}: {error}"

    def sentence(self) -> str:
        if self.outcome == ScanOutcome.FAILED:
            return f"could not scan: {self.error_message}"
        seen = f"{counted(self.files, 'file')} in {counted(self.folders, 'folder')}"
        seen += f": {self.new_files} new, {self.changed_files} changed"
        if self.gone_files:
            seen += f", {self.gone_files} gone"
        if self.unreadable_folders:
            seen += f"; {unlisted_sentence(self.unreadable_folders, self.unlisted)}"
        if self.acknowledged:
            seen += "; accepted because a user said that the share was cleaned up"
        if self.continued:
            seen += "; resumed from the last scan"
        if self.outcome == ScanOutcome.PARTIAL:
            seen += "; the time ran out before all was seen"
        if self.outcome == ScanOutcome.SUSPECT:
            seen += f"; {self.error_message}"
        return seen


def unlisted_sentence(number: int, unlisted: Mapping[str, str]) -> str:
    """How many folders could not be listed, with the names and reasons of the first."""
    first = [f"{folder} ({unlisted[folder]})" for folder in sorted(unlisted)[:FOLDERS_IN_A_SENTENCE]]
    more = f" and {number - len(first)} more" if first and number > len(first) else ""
    return f"{counted(number, 'folder')} could not be listed{': ' if first else ''}{', '.join(first)}{more}"


@contextmanager
def scan_on_record(facility: Facility, instrument_id: uuid.UUID, dagster_run_id: str | None) -> Iterator[ScanResult]:
    """A scan that ends with its outcome on record, also when the block raises; the error is raised again.

    Updates ``heartbeat_at`` while it runs, so that the scan of a crashed process can be found and ended.
    """
    end_dead_scans(facility.sessions)
    with facility.sessions.begin() as session:
        scan = Scan(instrument_id=instrument_id, dagster_run_id=dagster_run_id, started_at=facility.now())
        session.add(scan)
    result = ScanResult()
    scan_id = scan.id

    def beat() -> None:
        with facility.sessions.begin() as session:
            session.execute(update(Scan).where(Scan.id == scan_id).values(heartbeat_at=func.now()))

    with beating(beat, every_seconds=BEAT_SECONDS, name=f"scan-{scan_id}"):
        try:
            yield result
        except BaseException as error:
            result.fail(error)
            with suppress(SQLAlchemyError):  # the first error counts; ``end_dead_scans`` ends the scan
                _finish(facility, scan_id, result)
            raise
        _finish(facility, scan_id, result)


def _finish(facility: Facility, scan_id: uuid.UUID, result: ScanResult) -> None:
    """Also of a scan that was taken for dead: its outcome is known here."""
    named = sorted(result.unlisted)[:NAMED_FOLDERS]
    with facility.sessions.begin() as session:
        scan = session.get_one(Scan, scan_id)
        scan.finished_at = facility.now()
        scan.unlisted_folders = named
        scan.unlisted_reasons = {folder: result.unlisted[folder] for folder in named}
        for each in fields(result):
            if each.name not in NOT_COLUMNS:
                setattr(scan, each.name, getattr(result, each.name))


def end_dead_scans(sessions: Sessions) -> int:
    """Record every scan, of any instrument, without a heartbeat for a lease as failed; returns how many."""
    silence = func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS)
    last_beat = func.to_char(Scan.heartbeat_at, "YYYY-MM-DD HH24:MI:SS")
    message = func.concat("the process that scanned has crashed; its last heartbeat was at ", last_beat, " UTC")
    dead = (
        update(Scan)
        .where(Scan.finished_at.is_(None), Scan.heartbeat_at < func.now() - silence)
        .values(finished_at=func.now(), outcome=ScanOutcome.FAILED, error_kind=INTERRUPTED, error_message=message)
        .returning(Scan.id)
    )
    with sessions.begin() as session:
        return len(session.scalars(dead).all())


def latest_scan(session: Session, instrument_id: uuid.UUID, *, outcome: ScanOutcome | None = None) -> Scan | None:
    """The last finished scan of an instrument's share; with ``outcome``, the last that ended so."""
    finished = select(Scan).where(Scan.instrument_id == instrument_id, Scan.finished_at.is_not(None))
    if outcome is not None:
        finished = finished.where(Scan.outcome == outcome)
    return session.scalar(finished.order_by(Scan.started_at.desc()).limit(1))
