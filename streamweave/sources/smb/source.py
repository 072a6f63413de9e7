"""A share as a source, read in frames of our own where that is possible, else through smbprotocol's public interface.

Both give the same listings, bytes and errors; the first is several times as fast.
"""

import logging
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from streamweave.errors import SourceError, SourceFileError
from streamweave.sources.base import FolderListing, SourceFile, WholeFile
from streamweave.sources.smb import reading
from streamweave.sources.smb.address import SmbAddress
from streamweave.sources.smb.connection import OpenedShare, ShareConnection
from streamweave.sources.smb.frames.connection import FramesConnection
from streamweave.sources.smb.frames.handover import CanNotTakeOver, HandoverFailed, take_over
from streamweave.sources.smb.listing import list_folders
from streamweave.sources.smb.public.connection import PublicConnection
from streamweave.sources.smb.reading import OpenSmbFile

logger = logging.getLogger(__name__)


class SmbSource:
    """One connection to one share, made at the first use and again after it was lost.

    ``streamweave.sources.base.Source`` says what each method promises.
    """

    def __init__(self, address: SmbAddress) -> None:
        self._address = address
        self._connection: ShareConnection | None = None

    def listings(self, passing_over: Container[str] = ()) -> Iterator[FolderListing]:
        """Every folder below the base path, what lies deeper first."""
        return list_folders(self._connected, passing_over)

    @contextmanager
    def open(self, source_path: str) -> Iterator[OpenSmbFile]:
        file = OpenSmbFile(self._connected(), source_path)
        try:
            yield file
        finally:
            file.close()

    def read_whole(self, files: Iterable[SourceFile]) -> Iterator[WholeFile | SourceFileError]:
        return reading.read_whole(self._connected(), files)

    def has_open_writer(self, source_path: str) -> bool:
        return reading.has_open_writer(self._connected(), source_path)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> ShareConnection:
        if self._connection is None or not self._connection.is_alive:
            self.close()
            self._connection = connect(self._address)
        return self._connection


def connect(address: SmbAddress) -> ShareConnection:
    """A new connection to the share.

    Raises ``SourceUnreachable``, ``CredentialsRefused``, ``ShareMissing`` or ``ShareDenied``.
    """
    share = OpenedShare(address)
    try:
        return _fastest(share) if address.engine == "auto" else PublicConnection(share)
    except HandoverFailed:
        share.close()
        return connect(replace(address, engine="public"))
    except SourceError:
        share.close()
        raise


def _fastest(share: OpenedShare) -> ShareConnection:
    try:
        return FramesConnection(share, take_over(share))
    except CanNotTakeOver as reason:
        _log_once(share.address.server, share.address.share, str(reason))
        if isinstance(reason, HandoverFailed):
            raise
        return PublicConnection(share)


@cache
def _log_once(server: str, share: str, reason: str) -> None:
    logger.info("The share %r on %s is read the slower way: %s", share, server, reason)
