"""Blame: whose fault a lost connection is, the share's or that of the one file that was being read.

A bad sector under it, or a scanner on the server, can let a file end every connection on which it is read. It must not
pass for a share that is gone, or it would keep all others from being archived.
"""

from streamweave.errors import FileReadFailed, SourceError, SourceFileError, SourceUnreachable
from streamweave.harvest.claims import Claim
from streamweave.sources.base import Source

IN_A_ROW = 3
"""A share that lets files be opened, and then loses the connection on so many one after the other, is to blame."""


class Blame:
    """Judges over the losses of one run, over all of its connections, each of which came twice at the same place.

    A file is to blame only where others could be read: of a file that is alone nobody can tell.
    """

    def __init__(self) -> None:
        self._has_read = False
        self._in_a_row = 0

    def acquit(self) -> None:
        """A file was read: whatever was lost before, the share answers."""
        self._has_read = True
        self._in_a_row = 0

    def for_losing(self, source: Source, claim: Claim, error: SourceUnreachable) -> SourceError:
        """What to put on record of the file: that it alone can't be read, or ``error`` if it is the share's fault."""
        self._in_a_row += 1
        if not self._has_read or self._in_a_row > IN_A_ROW or not answers(source, claim):
            return error
        return FileReadFailed(f"{claim.source_path}: the connection is lost whenever it is read: {error}")


def answers(source: Source, claim: Claim) -> bool:
    """Whether the server opens and closes the file, over a fresh connection, when nothing is read of it."""
    try:
        source.has_open_writer(claim.source_path)
    except SourceFileError:
        return True
    except SourceError:
        return False
    return True
