"""What has been seen of a share: by one scan, or by several of which each resumes where the last ran out of time.

Folders and missing files are stored as ``Digests``, so that millions of them fit. A resumed scan skips the folders that
hold no folder and were seen before; the few others are listed again, since they lead to the rest.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import digest_of_path
from streamweave.catalog.tables import Instrument, UnfinishedLook
from streamweave.errors import AddressChanged
from streamweave.harvest.scan_compare import DIGEST_BYTES, Digests

RESUMED_WITHIN = timedelta(hours=1)
"""What was seen longer ago is scanned anew."""
MOST_UNLISTABLE_CHARACTERS = 4 << 20
"""Of paths and reasons that are stored of folders that could not be listed."""


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
        """Whether the folder has been listed."""
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
        """Let the next scan resume here."""
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
    row = select(Instrument.cifs_host, Instrument.cifs_port, Instrument.cifs_share, Instrument.cifs_base_path)
    host, port, share, base_path = session.execute(row.where(Instrument.id == instrument.id)).one()
    if _address(host, port, share, base_path) != address_of(instrument):
        raise AddressChanged(f"{instrument.name} was given another address while {address_of(instrument)} was scanned")


def address_of(instrument: Instrument) -> str:
    """Which folder of which share is scanned."""
    return _address(instrument.cifs_host, instrument.cifs_port, instrument.cifs_share, instrument.cifs_base_path)


def _address(host: str, port: int, share: str, base_path: str) -> str:
    return f"//{host}:{port}/{share}/{base_path}"


def _split(digests: bytes) -> Iterable[bytes]:
    return (digests[start : start + DIGEST_BYTES] for start in range(0, len(digests), DIGEST_BYTES))
