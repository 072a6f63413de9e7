"""What goes wrong on the wire, and the error of our tree that it means: one table for each thing that is asked.

Decided on the NTSTATUS of the answer ([MS-ERREF] 2.3.1), never on an errno: a missing share and a missing file have the
same one.
"""

import errno
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from cryptography.exceptions import InvalidTag
from smbprotocol.exceptions import (
    SMBAuthenticationError,
    SMBConnectionClosed,
    SMBException,
    SMBOSError,
    SMBResponseException,
)

from streamweave.errors import (
    BasePathMissing,
    CredentialsRefused,
    FileDenied,
    FileInUse,
    FileReadFailed,
    FileUnreadable,
    FileVanished,
    ShareDenied,
    ShareMissing,
    SourceError,
    SourceUnreachable,
)
from streamweave.sources.smb.address import SmbAddress, TimeIsUp


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of our tree, and its sentence: ``{server}``, ``{account}``, ``{share}``, ``{base}`` and ``{path}``."""

    kind: type[SourceError]
    sentence: str


def _refused(reason: str) -> Fault:
    return Fault(CredentialsRefused, f"{{server}} refuses the service account '{{account}}' ({reason})")


_WRONG = _refused("wrong user name or password")
_NO_SHARE = Fault(ShareMissing, "{server} has no share '{share}'")
_NO_FOLDER = Fault(BasePathMissing, "share '{share}' on {server} has no folder '{base}'")
_VANISHED = Fault(FileVanished, "{path} is no longer on {server}")
_DENIED = Fault(FileDenied, "the service account '{account}' may not read {path} on {server}")
_IN_USE = Fault(FileInUse, "{path} on {server} is held by another program")
_NAME = Fault(FileUnreadable, "{path} on {server} has a name that the server does not accept")
_LINK = Fault(FileDenied, "{path} on {server} is a link, which is not followed")
_ELSEWHERE = Fault(FileUnreadable, "{path} on {server} is a link to another server (DFS), which is not followed")
_LOST = Fault(SourceUnreachable, "{server} ended the connection")
_BUSY = Fault(SourceUnreachable, "{server} is too busy to answer")

# The connection is at fault, whatever was asked.
CONNECTION: Mapping[int, Fault] = {
    0xC00000C9: _LOST,  # NETWORK_NAME_DELETED
    0xC000020C: _LOST,  # CONNECTION_DISCONNECTED
    0xC0000203: _LOST,  # USER_SESSION_DELETED
    0xC000035C: _LOST,  # NETWORK_SESSION_EXPIRED
    0xC00000B5: _BUSY,  # IO_TIMEOUT
    0xC00000CE: _BUSY,  # TOO_MANY_SESSIONS
    0xC00000D0: _BUSY,  # REQUEST_NOT_ACCEPTED
    0xC000009A: _BUSY,  # INSUFFICIENT_RESOURCES
    0xC0000205: _BUSY,  # INSUFF_SERVER_RESOURCES
}

SESSION: Mapping[int, Fault] = {
    0xC000006D: _WRONG,  # LOGON_FAILURE
    0xC000006A: _WRONG,  # WRONG_PASSWORD
    0xC0000064: _WRONG,  # NO_SUCH_USER
    0xC0000022: _refused("access denied"),
    0xC000006E: _refused("the account is restricted"),
    0xC000006F: _refused("not allowed at this hour"),
    0xC0000070: _refused("not allowed from this computer"),
    0xC0000071: _refused("the password has expired"),
    0xC0000072: _refused("the account is disabled"),
    0xC000015B: _refused("not allowed to log on over the network"),
    0xC0000193: _refused("the account has expired"),
    0xC0000224: _refused("the password must be changed first"),
    0xC0000234: _refused("the account is locked"),
}

TREE: Mapping[int, Fault] = {
    0xC00000CC: _NO_SHARE,  # BAD_NETWORK_NAME
    0xC0000225: _NO_SHARE,  # NOT_FOUND
    0xC0000034: _NO_SHARE,  # OBJECT_NAME_NOT_FOUND
    0xC000003A: _NO_SHARE,  # OBJECT_PATH_NOT_FOUND
    0xC0000022: Fault(ShareDenied, "the service account '{account}' may not open the share '{share}' on {server}"),
}

BASE_FOLDER: Mapping[int, Fault] = {
    0xC0000034: _NO_FOLDER,  # OBJECT_NAME_NOT_FOUND
    0xC000003A: _NO_FOLDER,  # OBJECT_PATH_NOT_FOUND
    0xC000000F: _NO_FOLDER,  # NO_SUCH_FILE
    0xC0000103: _NO_FOLDER,  # NOT_A_DIRECTORY
    0xC000000D: _NO_FOLDER,  # INVALID_PARAMETER: to query a file as a folder, [MS-SMB2] 3.3.5.18
    0xC0000033: _NO_FOLDER,  # OBJECT_NAME_INVALID
    0xC000003B: _NO_FOLDER,  # OBJECT_PATH_SYNTAX_BAD
    0xC0000022: Fault(
        ShareDenied, "the service account '{account}' may not open the folder '{base}' of share '{share}' on {server}"
    ),
}

FILE: Mapping[int, Fault] = {
    0xC0000034: _VANISHED,  # OBJECT_NAME_NOT_FOUND
    0xC000003A: _VANISHED,  # OBJECT_PATH_NOT_FOUND
    0xC000000F: _VANISHED,  # NO_SUCH_FILE
    0xC0000056: _VANISHED,  # DELETE_PENDING
    0xC00000BA: _VANISHED,  # FILE_IS_A_DIRECTORY
    0xC0000103: _VANISHED,  # NOT_A_DIRECTORY
    0xC0000022: _DENIED,  # ACCESS_DENIED
    0xC0000043: _IN_USE,  # SHARING_VIOLATION
    0xC0000054: _IN_USE,  # FILE_LOCK_CONFLICT
    0xC0000055: _IN_USE,  # LOCK_NOT_GRANTED
    0xC0000033: _NAME,  # OBJECT_NAME_INVALID
    0xC000003B: _NAME,  # OBJECT_PATH_SYNTAX_BAD
    0x8000002D: _LINK,  # STOPPED_ON_SYMLINK
    0xC0000257: _ELSEWHERE,  # PATH_NOT_COVERED
}

PENDING = 0x00000103
SHARING_VIOLATION = 0xC0000043
NO_MORE_FILES = 0x80000006
NO_SUCH_FILE = 0xC000000F
END_OF_FILE = 0xC0000011
INTERNAL_ERROR = 0xC00000E5  # says of a compound's member, too, that it takes too long for one ([MS-SMB2] 3.3.5.2.7)


class Refused(Exception):
    """The server's answer is a refusal: ``status`` is its NTSTATUS."""

    def __init__(self, status: int) -> None:
        super().__init__(f"NTSTATUS 0x{status:08X}")
        self.status = status


class BrokenAnswer(Exception):
    """The server's answer is not what the protocol allows. The message says what is wrong with it."""


# All that an engine raises when a server refuses, is silent, ends the connection or breaks the protocol. Errors of its
# parsing smbprotocol raises as they are: ValueError for a closed port, struct.error, KeyError, IndexError, TypeError.
WIRE_ERRORS = (
    Refused,
    BrokenAnswer,
    SMBException,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
    InvalidTag,
)


def as_source_error(error: Exception, table: Mapping[int, Fault], address: SmbAddress, path: str = "") -> SourceError:
    """What ``error``, one of ``WIRE_ERRORS``, means for a request about ``path``, by the table for such requests."""
    status = _status_of(error)
    if status is None:
        return _without_status(error, table, address)
    fault = CONNECTION.get(status) or table.get(status) or _unknown(status, table)
    sentence = fault.sentence.format(
        server=address.server, account=address.account, share=address.share, base=address.base_below_share, path=path
    )
    return fault.kind(sentence)


def _status_of(error: Exception) -> int | None:
    """The NTSTATUS of a server's refusal; None when the server gave none."""
    if isinstance(error, Refused | SMBResponseException):
        return int(error.status)
    return int(error.ntstatus) if isinstance(error, SMBOSError) else None


def _unknown(status: int, table: Mapping[int, Fault]) -> Fault:
    if table is FILE:
        return Fault(FileReadFailed, f"{{path}} on {{server}} can't be read (NTSTATUS 0x{status:08X})")
    return Fault(SourceUnreachable, f"{{server}} refuses to serve the share '{{share}}' (NTSTATUS 0x{status:08X})")


def _without_status(error: Exception, table: Mapping[int, Fault], address: SmbAddress) -> SourceError:
    reason = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(reason, SMBAuthenticationError) or (table is SESSION and type(reason) is SMBException):
        # smbprotocol raises the plain class here for a session that would be a guest's, unsigned
        words = f"{address.server} does not let the service account '{address.account}' in: {reason}"
        return CredentialsRefused(words)
    if isinstance(reason, TimeIsUp) or (address.deadline is not None and monotonic() >= address.deadline):
        return SourceUnreachable(
            f"{address.server} answers, but what was asked of it did not end in the time that it had"
        )
    if isinstance(reason, TimeoutError):
        return SourceUnreachable(f"{address.server} does not answer (silent for {address.timeout_seconds:g} s)")
    is_closed = isinstance(reason, OSError) and reason.errno == errno.EBADF  # by us, after an earlier fault
    if isinstance(reason, ConnectionError | SMBConnectionClosed) or is_closed:
        return SourceUnreachable(f"{address.server} ended the connection")
    if isinstance(reason, OSError):
        return SourceUnreachable(f"{address.server} does not answer ({reason.strerror or reason})")
    detail = str(reason) or type(reason).__name__
    return SourceUnreachable(f"{address.server} does not speak SMB 2 or 3 as expected ({detail})")
