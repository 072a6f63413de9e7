"""The beginning of every connection: to which address it goes, and whether an SMB server answers there.

Nothing secret has been sent yet. Of what answers there instead, or does not, no more is said than that it is no SMB
server: whoever may enter addresses must not learn from us which ports are open.
"""

import logging
import time
import uuid
from contextlib import suppress
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBException

from streamweave.errors import EncryptionMissing, HostNotAllowed, SourceUnreachable
from streamweave.hosts import Address, is_allowed, look_up
from streamweave.sources.smb.address import SmbAddress
from streamweave.sources.smb.faults import PENDING
from streamweave.sources.smb.wire_errors import WIRE_ERRORS

# smbprotocol logs every lost connection with its traceback; ours is told as an error of our tree instead.
logging.getLogger("smbprotocol").setLevel(logging.CRITICAL)

PUT_OFF_AT_MOST = 10
"""Timeouts: so long a server may announce an answer again and again before there must be one."""
UNSOLICITED = 0xFFFFFFFFFFFFFFFF  # [MS-SMB2] 3.2.5.1.3: the MessageId of what answers no request


class PatientConnection(Connection):  # type: ignore[misc] # smbprotocol ships no types
    """A connection whose every wait is bounded, and every answer's signature verified.

    smbprotocol itself waits for ever, in ``Session.connect`` say, and takes an answer that isn't signed for a good one.
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

        And for one to another command: smbprotocol lets that one say which session it belongs to, so that an answer in
        the guise of a session's set-up would need no signature.
        """
        message_id = header["message_id"].get_value()
        request = self.outstanding_requests.get(message_id)
        if request and header["command"].get_value() != request.message["command"].get_value():
            raise SMBException("an answer to another command than was sent")
        exempt = message_id == UNSOLICITED or header["status"].get_value() == PENDING
        super().verify_signature(header, session_id, force or (session_id in self.session_table and not exempt))


def negotiated(address: SmbAddress) -> PatientConnection:
    """A connection to the first address of the host at which an SMB server answers, within ``timeout_seconds``.

    The very addresses that were found allowed are connected to: a name may lead elsewhere a moment later. Raises
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
