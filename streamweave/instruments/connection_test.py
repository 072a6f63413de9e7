"""Whether an instrument's share can be listed now."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from streamweave.catalog.tables import Instrument
from streamweave.errors import InvalidInput, SealBroken, SourceError, SourceUnreachable
from streamweave.sealing import Sealer
from streamweave.sources.base import FolderListing, Source
from streamweave.sources.opening import open_source

PATIENCE_SECONDS = 10.0
"""How long a server may stay silent before we give up. A harvest is more patient, but here a person waits."""
DEADLINE_SECONDS = 25.0
"""How long the test takes at most, whatever the server does."""
MARGIN_SECONDS = 0.5
"""More than it takes to give up, once the patience is at its end."""


@dataclass(frozen=True, slots=True)
class ShareAnswer:
    """The share can be listed: how many files and folders lie directly in its base folder, and how long it took."""

    files: int
    folders: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ShareRefusal:
    """The share can't be listed: the kind of error, as scans have it on record, and a sentence."""

    error_kind: str
    detail: str


def try_share(instrument: Instrument, sealer: Sealer) -> ShareAnswer | ShareRefusal:
    """List the base folder of the instrument's share, with its service account."""

    def connect() -> Source:
        account = instrument.service_account
        password = sealer.open(account.sealed_password) if account else ""
        return open_source(instrument, password, patience_seconds=PATIENCE_SECONDS, ends_after_seconds=DEADLINE_SECONDS)

    return list_base_folder(connect)


def list_base_folder(connect: Callable[[], Source]) -> ShareAnswer | ShareRefusal:
    """Connect, and list the base folder, nothing below it.

    Where no SMB server answers, that is said after the same time, whether a port is closed, silent or used by something
    else: the test is no port scanner.
    """
    began = time.monotonic()
    try:
        with closing(connect()) as source:
            files, folders = _in_base_folder(source.listings())
    except SourceUnreachable as error:
        time.sleep(max(0.0, began + PATIENCE_SECONDS + MARGIN_SECONDS - time.monotonic()))
        return ShareRefusal(error.kind(), str(error))
    except (SourceError, SealBroken, InvalidInput) as error:
        return ShareRefusal(error.kind(), str(error))
    return ShareAnswer(files, folders, round(time.monotonic() - began, 3))


def _in_base_folder(listings: Iterator[FolderListing]) -> tuple[int, int]:
    """How many files and folders lie directly in it; a large one comes in parts."""
    files = folders = 0
    for listing in listings:
        if listing.problem is None:
            files += len(listing.files)
            folders += listing.folders
            if listing.ends:
                break
    return files, folders
