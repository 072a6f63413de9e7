"""What goes wrong on the wire, and the error of our tree that it means."""

import errno
import struct
from collections.abc import Mapping
from time import monotonic

from cryptography.exceptions import InvalidTag
from smbprotocol.exceptions import (
    SMBAuthenticationError,
    SMBConnectionClosed,
    SMBException,
    SMBOSError,
    SMBResponseException,
)

from streamweave.errors import CredentialsRefused, FileReadFailed, SourceError, SourceUnreachable
from streamweave.sources.smb.address import SmbAddress, TimeIsUp
from streamweave.sources.smb.faults import CONNECTION, FILE, SESSION, Fault


class Refused(Exception):
    """The server's answer is a refusal: ``status`` is its NTSTATUS."""

    def __init__(self, status: int) -> None:
        super().__init__(f"NTSTATUS 0x{status:08X}")
        self.status = status


class BrokenAnswer(Exception):
    """The server's answer is not what the protocol allows. The message says what is wrong with it."""


# All that an engine raises when a server refuses, is silent, breaks off or talks nonsense. What smbprotocol's parsing
# stumbles over, it raises as it is: ValueError for a closed port, struct.error, KeyError, IndexError, TypeError.
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
    """What ``error``, one of ``WIRE_ERRORS``, means for the question, about ``path``, that ``table`` belongs to."""
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


def _is_closed_by_us(error: Exception) -> bool:
    """Whether a socket was used on after an earlier fault had closed it."""
    return isinstance(error, OSError) and error.errno == errno.EBADF


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and monotonic() >= deadline


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
    if isinstance(reason, TimeIsUp) or _is_past(address.deadline):
        return SourceUnreachable(
            f"{address.server} answers, but what was asked of it did not end in the time that it had"
        )
    if isinstance(reason, TimeoutError):
        return SourceUnreachable(f"{address.server} does not answer (silent for {address.timeout_seconds:g} s)")
    if isinstance(reason, ConnectionError | SMBConnectionClosed) or _is_closed_by_us(reason):
        return SourceUnreachable(f"{address.server} ended the connection")
    if isinstance(reason, OSError):
        return SourceUnreachable(f"{address.server} does not answer ({reason.strerror or reason})")
    detail = str(reason) or type(reason).__name__
    return SourceUnreachable(f"{address.server} does not speak SMB 2 or 3 as expected ({detail})")
