"""A copy in another storage location, read as a share's file is: the same way of copying takes either."""

from collections.abc import Iterator
from contextlib import contextmanager

from streamweave.errors import FileReadFailed, StorageError
from streamweave.harvest.claims import Claim
from streamweave.sources.base import SourceFile
from streamweave.storage.base import Storage


class StoredCopy:
    """One published file, opened under the source path of the claim that it is to fulfil.

    Nobody writes into it, so it always shows what settled; whether it is intact, its digest will tell.
    """

    def __init__(self, storage: Storage, path: str, claim: Claim) -> None:
        self._storage = storage
        self._path = path
        self._claim = claim

    @contextmanager
    def open(self, source_path: str) -> Iterator["StoredCopy"]:  # noqa: ARG002 - there is this one only
        """Itself: nothing is opened before the first piece is asked for."""
        yield self

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The content. Raises ``FileReadFailed``: what fails is where it is read, not where it is written to."""
        try:
            yield from self._storage.read(self._path, offset)
        except StorageError as error:
            raise FileReadFailed(str(error)) from error

    def now(self) -> SourceFile:
        """What settled."""
        return SourceFile(self._claim.source_path, self._claim.size_bytes, self._claim.mtime)
