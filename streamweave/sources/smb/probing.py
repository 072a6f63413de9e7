"""Asking whether an instrument still writes a file, by its share modes ([MS-SMB2] 3.3.5.9)."""

from streamweave.sources.smb.connection import SHARE_READ, ShareConnection
from streamweave.sources.smb.faults import FILE, SHARING_VIOLATION
from streamweave.sources.smb.wire_errors import Refused


def has_open_writer(connection: ShareConnection, source_path: str) -> bool:
    """Whether some other client holds the file open for writing.

    We ask to share the file with readers only, which the server refuses while there is a writer. The same compound
    lets go of the file again. An instrument that wants to write in between would be refused, a thousandth of a second
    or so too early; so we ask for a batch oplock too, which makes the server let it wait for our closing instead
    ([MS-SMB2] 2.2.13; none is granted while somebody else reads the file). A writer that is local to the server is not
    seen.
    """
    path = connection.address.path_on_share(source_path)
    messages = connection.messages
    with connection.faults(FILE, source_path):
        opening, closing = connection.send([messages.open_file(path, SHARE_READ, yielding=True), messages.close()])
        try:
            connection.answer(opening)
        except Refused as refusal:
            if refusal.status == SHARING_VIOLATION:
                return True
            raise
        finally:
            connection.discard([closing])
    return False
