"""Connections to a share: what both engines implement, and where both begin.

``ShareConnection`` is the contract: messages are sent to the server, and their answers taken, many under way at once.
``OpenedShare`` is connected, authenticated and opened by smbprotocol. Until an SMB server has answered, nothing secret
was sent; of anything else at the address no more is said than that it is no SMB server, since a user who may enter
addresses must not find out which ports are open.
"""

import logging
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any, Protocol

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBException
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from streamweave.errors import (
    AuthenticationUnavailable,
    EncryptionMissing,
    HostNotAllowed,
    SourceError,
    SourceUnreachable,
)
from streamweave.hosts import Address, is_allowed, look_up
from streamweave.sources.smb import answers
from streamweave.sources.smb.address import Authentication, SmbAddress
from streamweave.sources.smb.errors import (
    END_OF_FILE,
    PENDING,
    SESSION,
    TREE,
    WIRE_ERRORS,
    BrokenAnswer,
    Fault,
    Refused,
    as_source_error,
)

CREDIT_BYTES = 1 << 16  # [MS-SMB2] 3.2.4.1.5: what one credit pays for
COMPOUND_HANDLE = b"\xff" * 16  # 3.2.4.1.4: the handle that the compound's first message opens
SHARE_READ, SHARE_ALL = 0x1, 0x7  # 2.2.13: what others may do: read; or write, rename and delete as well
CREDITS_WANTED = 1024  # Windows grants up to 512 by default, Samba up to 8,192

PUT_OFF_AT_MOST = 10
"""Timeouts: so long a server may announce an answer repeatedly before there must be one."""
UNSOLICITED = 0xFFFFFFFFFFFFFFFF  # [MS-SMB2] 3.2.5.1.3: the MessageId of what answers no request

# smbprotocol logs every lost connection with its traceback; here it is raised as an error of our tree.
logging.getLogger("smbprotocol").setLevel(logging.CRITICAL)

Message = Any  # what one engine's ``messages`` make, and the same engine's ``send`` takes
Ticket = Any  # what ``send`` gives for a message, and ``answer`` takes


class Messages(Protocol):
    """The few SMB2 messages that we send ([MS-SMB2] 2.2), in an engine's own form."""

    def open_folder(self, path: str) -> Message:
        """Open a folder below the share for listing."""

    def open_file(self, path: str, share_access: int, *, yielding: bool = False) -> Message:
        """Open a file below the share for reading; ``share_access`` is what others may do to it until it is closed.

        With ``yielding``, a client that wants to do something else waits until we have closed it, instead of being
        refused.
        """

    def list_entries(self, length: int, handle: bytes = COMPOUND_HANDLE) -> Message:
        """Ask for at most ``length`` bytes of a folder's next entries."""

    def read(self, offset: int, length: int, handle: bytes = COMPOUND_HANDLE) -> Message:
        """Ask for at most ``length`` bytes of a file from ``offset``."""

    def query_size_and_time(self, handle: bytes) -> Message:
        """Ask for an open file's size and times."""

    def close(self, handle: bytes = COMPOUND_HANDLE) -> Message:
        """Close a handle, and ask for its file's size and times."""


class ShareConnection(ABC):
    """Connected to a share from the beginning to ``close``. Not to be shared between threads."""

    messages: Messages
    largest_read: int
    """How many bytes one read may ask for."""
    largest_listing: int
    """How many bytes of a folder one query may ask for."""

    def __init__(self, address: SmbAddress) -> None:
        self.address = address

    @contextmanager
    def faults(self, table: Mapping[int, Fault], path: str = "") -> Iterator[None]:
        """Raise what goes wrong on the wire as the error that ``table`` has for it. A lost connection is closed."""
        try:
            yield
        except WIRE_ERRORS as wire_error:
            error = as_source_error(wire_error, table, self.address, path)
            if isinstance(error, SourceUnreachable):
                self.close()
            raise error from wire_error

    @property
    @abstractmethod
    def is_alive(self) -> bool:
        """Whether the connection is alive, as far as is known without asking the server."""

    @property
    @abstractmethod
    def credits(self) -> int:
        """How many more requests of up to 64 KiB each the server lets us send now."""

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> list[Ticket]:
        """Send one message, or several as one compound that works on one handle; a ticket for each.

        Raises one of ``WIRE_ERRORS``.
        """

    @abstractmethod
    def answer(self, ticket: Ticket) -> bytes | memoryview:
        """The body of the answer, waited for. Raises ``Refused`` or another of ``WIRE_ERRORS``."""

    def data(self, ticket: Ticket, at_most: int) -> bytes:
        """The data in the answer to a read of ``at_most`` bytes: none behind the file's end. Raises as ``answer``."""
        try:
            data = self._data(ticket)
        except Refused as refusal:
            if refusal.status == END_OF_FILE:
                return b""
            raise
        if len(data) > at_most:
            raise BrokenAnswer(f"{len(data)} bytes in answer to a read of {at_most}")
        return data

    def closing(self, ticket: Ticket, handle: bytes) -> bytes | memoryview | None:
        """The answer to the close of a compound that has opened ``handle``. Raises as ``answer``.

        A server may refuse it because something before it was refused (3.3.5.2.7.2). Then there is None, and the handle
        is released: an instrument must not be left with open files.
        """
        try:
            return self.answer(ticket)
        except Refused:
            self.release(handle)
            return None

    def _data(self, ticket: Ticket) -> bytes:
        return answers.data(self.answer(ticket))

    @abstractmethod
    def discard(self, tickets: Iterable[Ticket]) -> None:
        """Drop these answers, whether they came or not. Never raises."""

    @abstractmethod
    def release(self, handle: bytes) -> None:
        """Let the server close ``handle``, without waiting for its answer. Never raises."""

    @abstractmethod
    def close(self) -> None:
        """End the connection; the server then closes all handles. Never raises; may be called twice."""


class PatientConnection(Connection):  # type: ignore[misc] # smbprotocol ships no types
    """A connection whose every wait is bounded, and every answer's signature verified.

    smbprotocol itself has waits without end, in ``Session.connect`` say, and accepts answers that are not signed.
    """

    def __init__(self, address: SmbAddress, ip_address: str) -> None:
        # One GUID for each connection: with a common one Samba puts all of them in one process, and concurrent session
        # set-ups can hang.
        super().__init__(uuid.uuid4(), ip_address, address.port)
        self._address = address

    def receive(self, request: Any, wait: bool = True, **_others: object) -> Any:
        """The answer to ``request``, links not followed. Raises ``TimeoutError``."""
        end = time.monotonic() + PUT_OFF_AT_MOST * self._address.timeout_seconds
        while True:
            if not request.response_event.wait(self._address.patience()) or time.monotonic() > end:
                raise TimeoutError
            with request.response_event_lock:
                if request.response is None or request.response["status"].get_value() != PENDING:
                    break
                request.response_event.clear()
        return super().receive(request, wait, self._address.timeout_seconds, resolve_symlinks=False)

    def verify_signature(self, header: Any, session_id: int, force: bool = False) -> None:
        """Raise ``SMBException`` for an answer within a session whose signature is missing or wrong.

        And for one to another command: smbprotocol takes the session from the answer, so that one of a session's set-up
        would need no signature.
        """
        message_id = header["message_id"].get_value()
        request = self.outstanding_requests.get(message_id)
        if request and header["command"].get_value() != request.message["command"].get_value():
            raise SMBException("an answer to another command than was sent")
        exempt = message_id == UNSOLICITED or header["status"].get_value() == PENDING
        super().verify_signature(header, session_id, force or (session_id in self.session_table and not exempt))


def negotiated(address: SmbAddress) -> PatientConnection:
    """A connection to the first address of the host at which an SMB server answers, within ``timeout_seconds``.

    It goes to the very addresses that were checked: a name may resolve to others a moment later. Raises
    ``SourceUnreachable``, ``HostNotAllowed`` or ``EncryptionMissing``.
    """
    deadline = time.monotonic() + address.patience()
    for found in _allowed_addresses(address):
        connection = PatientConnection(address, str(found))
        try:
            connection.connect(timeout=max(0.001, deadline - time.monotonic()))
        except WIRE_ERRORS:
            hang_up(connection)
            continue
        if address.require_encryption and not connection.supports_encryption:
            hang_up(connection)
            raise EncryptionMissing(f"{address.server} does not offer the encryption that the instrument requires")
        return connection
    raise SourceUnreachable(f"nothing answered as an SMB 2 or 3 server at {address.server}")


def hang_up(connection: PatientConnection) -> None:
    """Close the socket, which ends smbprotocol's thread. Never raises."""
    if connection.transport is not None:
        with suppress(*WIRE_ERRORS):
            connection.disconnect(close=False)


def _allowed_addresses(address: SmbAddress) -> list[Address]:
    try:
        found = look_up(address.host, address.patience())
    except TimeoutError:
        found = []
    if not found:
        raise SourceUnreachable(f"{address.server} does not answer (the host name is not known)")
    allowed = address.allowed_hosts
    if allowed is not None and not all(is_allowed(allowed, address.host, each) for each in found):
        places = ", ".join(allowed) or "no host yet"
        raise HostNotAllowed(
            f"the service account '{address.account}' is not sent to {address.host}: it is bound to {places}"
        )
    return found


class OpenedShare:
    """smbprotocol's connection, session and tree. The owner closes it.

    Raises ``SourceUnreachable``, ``HostNotAllowed``, ``EncryptionMissing``, ``AuthenticationUnavailable``,
    ``CredentialsRefused``, ``ShareMissing`` or ``ShareDenied`` when it can't connect.
    """

    def __init__(self, address: SmbAddress) -> None:
        self.address = address
        self.connection = negotiated(address)
        self.session = Session(
            self.connection,
            address.account,
            address.password,
            require_encryption=address.require_encryption,
            hostname_override=address.host,
            auth_protocol=_protocol(address.authentication),
        )
        self.tree = TreeConnect(self.session, rf"\\{address.host}\{address.share}")
        try:
            with self._faults(SESSION):
                self._authenticate()
            with self._faults(TREE):
                self.tree.connect()
        except SourceError:
            self.close()
            raise

    def _authenticate(self) -> None:
        try:
            self.session.connect()
        except ImportError as error:
            # pyspnego imports the system's Kerberos only when it is needed
            raise AuthenticationUnavailable(
                f"{self.address.server} is to be asked with {self.address.authentication} authentication, which needs "
                "the extra streamweave[kerberos] installed wherever this share is read"
            ) from error

    @contextmanager
    def _faults(self, table: Mapping[int, Fault]) -> Iterator[None]:
        try:
            yield
        except WIRE_ERRORS as wire_error:
            raise as_source_error(wire_error, table, self.address) from wire_error

    def ask_for_credits(self) -> None:
        """Widen the window of requests under way; smbprotocol itself asks for 64. Raises ``SourceUnreachable``."""
        with self._faults({}):
            self.connection.echo(sid=self.session.session_id, credit_request=CREDITS_WANTED)

    def close(self) -> None:
        """Close the socket, which ends smbprotocol's thread; the server then closes all handles."""
        hang_up(self.connection)


def _protocol(authentication: Authentication) -> str:
    """NTLM is sent within SPNEGO, as every server knows it, unless Kerberos is installed, which would be preferred."""
    return "negotiate" if authentication == "ntlm" and find_spec("gssapi") is None else authentication
