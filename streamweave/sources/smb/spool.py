"""The names of one large folder as the server sent them, in a temporary file until the last one is there."""

import tempfile
from collections.abc import Iterator

from streamweave.errors import FileReadFailed

IN_MEMORY_BYTES = 4 << 20
LENGTH_BYTES = 4


class Spool:
    """Outputs of queries, written once and read once. ``entries`` counts what is in them."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - closed by whoever reads it
        self.entries = 0

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def add(self, output: bytes | memoryview, entries: int) -> None:
        """Keep one output. Raises ``FileReadFailed``: our disk is full, which is not the server's fault."""
        self.entries += entries
        try:
            self._file.write(len(output).to_bytes(LENGTH_BYTES, "big"))
            self._file.write(output)
        except OSError as error:
            where = tempfile.gettempdir()
            raise FileReadFailed(f"there is no room in {where} for the names of a large folder: {error}") from error

    def outputs(self) -> Iterator[bytes]:
        """All of them, in order."""
        self._file.seek(0)
        while length := self._file.read(LENGTH_BYTES):
            yield self._file.read(int.from_bytes(length, "big"))
