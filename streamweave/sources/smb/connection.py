"""One authenticated connection to one share, on smbprotocol's low-level interface."""

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBResponseException
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from streamweave.errors import SourceError, SourceUnreachable
from streamweave.sources.smb import messages
from streamweave.sources.smb.address import SmbAddress
from streamweave.sources.smb.faults import SESSION, TREE, WIRE_ERRORS, Fault, as_source_error
from streamweave.sources.smb.messages import CREDIT_BYTES

# smbprotocol logs every lost connection with its traceback; ours is told as an error of our tree instead.
logging.getLogger("smbprotocol").setLevel(logging.CRITICAL)

CREDITS_WANTED = 1024  # smbprotocol asks for 64; Windows grants up to 512 by default, Samba up to 8,192
SINGLE_CREDIT_WINDOW = 16  # requests in flight with a server that knows no multi-credit operations (SMB 2.0.2)


class PatientConnection(Connection):  # type: ignore[misc] # smbprotocol ships no types
    """A connection whose every wait is bounded; smbprotocol itself waits for ever, in ``Session.connect`` say."""

    def __init__(self, address: SmbAddress) -> None:
        # One GUID for each connection: with a common one Samba puts all of them in one process, and concurrent session
        # set-ups can hang.
        super().__init__(uuid.uuid4(), address.host, address.port)
        self.patience_seconds = address.timeout_seconds

    def receive(self, request: Any, wait: bool = True, **_others: object) -> Any:
        """The answer to ``request``, links not followed. Raises ``TimeoutError``."""
        if not request.response_event.wait(self.patience_seconds):
            raise TimeoutError
        return super().receive(request, wait, self.patience_seconds, resolve_symlinks=False)


class ShareConnection:
    """Connected to a share from the beginning to ``close``. Not to be shared between threads.

    Raises ``SourceUnreachable``, ``CredentialsRefused``, ``ShareMissing`` or ``ShareDenied`` when it can't connect.
    """

    def __init__(self, address: SmbAddress) -> None:
        self.address = address
        self._connection = PatientConnection(address)
        self._session = Session(self._connection, address.account, address.password, require_encryption=False)
        self._closing: list[Any] = []
        self._tree = TreeConnect(self._session, rf"\\{address.host}\{address.share}")
        try:
            self._connect()
        except SourceError:
            self.close()
            raise

    def _connect(self) -> None:
        with self.faults({}):
            self._connection.connect(timeout=self.address.timeout_seconds)
        with self.faults(SESSION):
            self._session.connect()
        with self.faults(TREE):
            self._tree.connect()
        if self._connection.supports_multi_credit:
            with self.faults({}):
                self._connection.echo(sid=self._session.session_id, credit_request=CREDITS_WANTED)

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
    def is_alive(self) -> bool:
        """Whether the connection stood when it was last heard of."""
        transport = self._connection.transport
        return transport is not None and bool(transport.connected)

    @property
    def credits(self) -> int:
        """How many requests of up to 64 KiB each the server lets us send now, beside those that are under way."""
        if not self._connection.supports_multi_credit:
            return SINGLE_CREDIT_WINDOW - len(self._connection.outstanding_requests)
        window = self._connection.sequence_window
        return int(window["high"] - window["low"])

    def read_bytes_at_most(self, wanted: int) -> int:
        """How many bytes one read may ask for."""
        return self._bytes_at_most(wanted, self._connection.max_read_size)

    def listing_bytes_at_most(self, wanted: int) -> int:
        """How many bytes of a folder one query may ask for."""
        return self._bytes_at_most(wanted, self._connection.max_transact_size)

    def _bytes_at_most(self, wanted: int, negotiated: int) -> int:
        return min(wanted, negotiated if self._connection.supports_multi_credit else CREDIT_BYTES)

    def send(self, messages: Sequence[Any]) -> list[Any]:
        """Send one message, or several as one compound that works on one handle; a request for each."""
        sid, tid = self._session.session_id, self._tree.tree_connect_id
        requests: list[Any] = self._connection.send_compound(messages, sid, tid, related=len(messages) > 1)
        return requests

    def answer(self, request: Any) -> bytes:
        """The body of the answer. Raises one of ``WIRE_ERRORS``."""
        body: bytes = self._connection.receive(request)["data"].get_value()
        return body

    def discard(self, requests: Sequence[Any]) -> None:
        """Take the answers that nobody is interested in: one that is never taken stays in memory."""
        for request in requests:
            try:
                self.answer(request)
            except SMBResponseException:
                continue
            except WIRE_ERRORS:
                self.close()  # a server that is silent once is not waited for again
                return

    def release(self, handle: bytes) -> None:
        """Let the server close ``handle``, without waiting for its answer: the next call takes it."""
        self.discard(self._closing)
        with suppress(*WIRE_ERRORS):
            self._closing = self.send([messages.close(handle)])

    def close(self) -> None:
        """Close the socket, which ends smbprotocol's thread; the server then lets go of everything we held."""
        if self._connection.transport is not None:
            with suppress(*WIRE_ERRORS):
                self._connection.disconnect(close=False)
