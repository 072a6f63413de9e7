"""Growth: what stands of a file that goes on growing, read so that it is proven all the same.

Asked for is what our last look saw: so many bytes from the file's beginning. They are read twice, one whole reading
after the other, and must be the same both times, while the file is never shorter than they are; mtime may move. So
there was a moment, between the two readings, at which the file began with just these bytes: nothing half written is
among them, unless the instrument itself wrote it and went on. What was rewritten meanwhile, as a header is that counts
the frames behind it, differs the second time, and there is no copy then.
"""

from collections.abc import Callable, Iterator

from streamweave.errors import FileChanged
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import Digest, digest_of
from streamweave.sources.base import SourceFile


def expect_grown(claim: Claim, found: SourceFile) -> None:
    """Raise ``FileChanged`` unless the source holds at least what our last look saw."""
    if found.size_bytes < claim.size_bytes:
        raise FileChanged(
            f"{claim.source_path}: it was growing with {claim.size_bytes} bytes, and now has only {found.size_bytes}"
        )


def expect_only_grown(
    claim: Claim, read: Digest, pieces: Iterator[bytes], on_bytes: Callable[[int], None] = lambda length: None
) -> None:
    """Raise ``FileChanged`` unless ``pieces``, a second reading of the source, are what was ``read``."""

    def told() -> Iterator[bytes]:
        for piece in pieces:
            on_bytes(len(piece))
            yield piece

    if digest_of(told()) != read:
        raise FileChanged(f"{claim.source_path}: it was rewritten while it was copied, and not only grew")
