"""A connection to a share through smbprotocol's low-level interface, a thread of which receives the answers."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from smbprotocol.exceptions import SMBResponseException

from streamweave.sources.smb.connection import CREDIT_BYTES, Message, OpenedShare, ShareConnection
from streamweave.sources.smb.errors import WIRE_ERRORS, Refused
from streamweave.sources.smb.public import messages

SINGLE_CREDIT_WINDOW = 16  # requests in flight with a server that knows no multi-credit operations (SMB 2.0.2)


class PublicConnection(ShareConnection):
    """See ``ShareConnection`` for what each method promises; a ticket is smbprotocol's ``Request``.

    Raises ``SourceUnreachable``.
    """

    messages = messages

    def __init__(self, share: OpenedShare) -> None:
        super().__init__(share.address)
        self._share = share
        self._connection = share.connection
        self._closing: list[Any] = []
        # Else smbprotocol would say of our paths that they begin with server and share ([MS-SMB2] 3.2.4.3), and the
        # server would take their first two folders for these: some other file would be read.
        share.tree.is_dfs_share = False
        self.largest_read = self.largest_listing = CREDIT_BYTES
        if self._connection.supports_multi_credit:
            self.largest_read = int(self._connection.max_read_size)
            self.largest_listing = int(self._connection.max_transact_size)
            share.ask_for_credits()

    @property
    def is_alive(self) -> bool:
        transport = self._connection.transport
        return transport is not None and bool(transport.connected)

    @property
    def credits(self) -> int:
        """Without multi-credit operations, what our own window leaves."""
        if not self._connection.supports_multi_credit:
            return SINGLE_CREDIT_WINDOW - len(self._connection.outstanding_requests)
        window = self._connection.sequence_window
        return int(window["high"] - window["low"])

    def send(self, messages: Sequence[Message]) -> list[Any]:
        sid, tid = self._share.session.session_id, self._share.tree.tree_connect_id
        requests: list[Any] = self._connection.send_compound(messages, sid, tid, related=len(messages) > 1)
        return requests

    def answer(self, ticket: Any) -> bytes:
        try:
            body: bytes = self._connection.receive(ticket)["data"].get_value()
        except SMBResponseException as refusal:
            raise Refused(refusal.status) from refusal
        except TimeoutError:
            self.close()  # a server that is silent once is not waited for again
            raise
        return body

    def discard(self, tickets: Iterable[Any]) -> None:
        """Take the answers, for one that is never taken stays in memory."""
        for ticket in tickets:
            try:
                self.answer(ticket)
            except Refused:
                continue
            except WIRE_ERRORS:
                self.close()
                return

    def release(self, handle: bytes) -> None:
        """Close the handle; the next call takes the answer."""
        self.discard(self._closing)
        with suppress(*WIRE_ERRORS):
            self._closing = self.send([messages.close(handle)])

    def close(self) -> None:
        """End smbprotocol's thread and close the socket."""
        self._share.close()
