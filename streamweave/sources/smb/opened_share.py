"""A share, connected, authenticated and opened by smbprotocol: where both engines begin."""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBException
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from streamweave.errors import SourceError
from streamweave.sources.smb.address import SmbAddress
from streamweave.sources.smb.connection import CREDITS_WANTED
from streamweave.sources.smb.faults import PENDING, SESSION, TREE, Fault
from streamweave.sources.smb.wire_errors import WIRE_ERRORS, as_source_error

# smbprotocol logs every lost connection with its traceback; ours is told as an error of our tree instead.
logging.getLogger("smbprotocol").setLevel(logging.CRITICAL)

PUT_OFF_AT_MOST = 10
"""Timeouts: so long a server may announce an answer again and again before there must be one."""
UNSOLICITED = 0xFFFFFFFFFFFFFFFF  # [MS-SMB2] 3.2.5.1.3: the MessageId of what answers no request


class PatientConnection(Connection):  # type: ignore[misc] # smbprotocol ships no types
    """A connection whose every wait is bounded, and every answer's signature verified.

    smbprotocol itself waits for ever, in ``Session.connect`` say, and takes an answer that isn't signed for a good one.
    """

    def __init__(self, address: SmbAddress) -> None:
        # One GUID for each connection: with a common one Samba puts all of them in one process, and concurrent session
        # set-ups can hang.
        super().__init__(uuid.uuid4(), address.host, address.port)
        self._address = address

    def receive(self, request: Any, wait: bool = True, **_others: object) -> Any:
        """The answer to ``request``, links not followed. Raises ``TimeoutError``."""
        end = monotonic() + PUT_OFF_AT_MOST * self._address.timeout_seconds
        while True:
            if not request.response_event.wait(self._address.patience()) or monotonic() > end:
                raise TimeoutError
            with request.response_event_lock:
                if request.response is None or request.response["status"].get_value() != PENDING:
                    break
                request.response_event.clear()
        return super().receive(request, wait, self._address.timeout_seconds, resolve_symlinks=False)

    def verify_signature(self, header: Any, session_id: int, force: bool = False) -> None:
        """Raise ``SMBException`` for an answer within a session whose signature is missing or wrong.

        And for one to another command: smbprotocol lets that one say which session it belongs to, so that an answer in
        the guise of a session's set-up would need no signature.
        """
        message_id = header["message_id"].get_value()
        request = self.outstanding_requests.get(message_id)
        if request and header["command"].get_value() != request.message["command"].get_value():
            raise SMBException("an answer to another command than was sent")
        exempt = message_id == UNSOLICITED or header["status"].get_value() == PENDING
        super().verify_signature(header, session_id, force or (session_id in self.session_table and not exempt))


class OpenedShare:
    """smbprotocol's connection, session and tree. ``close`` is its owner's duty.

    Raises ``SourceUnreachable``, ``CredentialsRefused``, ``ShareMissing`` or ``ShareDenied`` when it can't connect.
    """

    def __init__(self, address: SmbAddress) -> None:
        self.address = address
        self.connection = PatientConnection(address)
        self.session = Session(self.connection, address.account, address.password, require_encryption=False)
        self.tree = TreeConnect(self.session, rf"\\{address.host}\{address.share}")
        try:
            self._connect()
        except SourceError:
            self.close()
            raise

    def _connect(self) -> None:
        with self._faults({}):
            self.connection.connect(timeout=self.address.patience())
        with self._faults(SESSION):
            self.session.connect()
        with self._faults(TREE):
            self.tree.connect()

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
        """Close the socket, which ends smbprotocol's thread; the server then lets go of everything we held."""
        if self.connection.transport is not None:
            with suppress(*WIRE_ERRORS):
                self.connection.disconnect(close=False)
