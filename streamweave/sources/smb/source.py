"""A share as a source."""

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager

from streamweave.errors import SourceFileError
from streamweave.sources.base import FolderListing, SourceFile, WholeFile
from streamweave.sources.smb import probing, whole_files
from streamweave.sources.smb.address import SmbAddress
from streamweave.sources.smb.connection import ShareConnection
from streamweave.sources.smb.engines import connect
from streamweave.sources.smb.listing import list_folders
from streamweave.sources.smb.reading import OpenSmbFile


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
        """Open a file for reading."""
        file = OpenSmbFile(self._connected(), source_path)
        try:
            yield file
        finally:
            file.close()

    def read_whole(self, files: Iterable[SourceFile]) -> Iterator[WholeFile | SourceFileError]:
        """Read files in one go each, several of them at a time."""
        return whole_files.read_whole(self._connected(), files)

    def has_open_writer(self, source_path: str) -> bool:
        """Whether some other client holds the file open for writing."""
        return probing.has_open_writer(self._connected(), source_path)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> ShareConnection:
        if self._connection is None or not self._connection.is_alive:
            self.close()
            self._connection = connect(self._address)
        return self._connection
