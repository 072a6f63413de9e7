"""A share spoken to in frames of our own."""

from collections.abc import Iterable, Sequence

from streamweave.sources.smb import answers
from streamweave.sources.smb.connection import OpenedShare, ShareConnection
from streamweave.sources.smb.errors import WIRE_ERRORS
from streamweave.sources.smb.frames import messages
from streamweave.sources.smb.frames.exchange import Exchange, FrameSocket
from streamweave.sources.smb.frames.handover import Handover
from streamweave.sources.smb.frames.messages import Packed
from streamweave.sources.smb.frames.protection import Encryption, Protection, Signing


class FramesConnection(ShareConnection):
    """See ``ShareConnection`` for what each method promises; a ticket is a message's id."""

    messages = messages

    def __init__(self, share: OpenedShare, taken: Handover) -> None:
        super().__init__(share.address)
        self._share = share
        self._largest_read, self._largest_listing = taken.largest_read, taken.largest_listing
        address = share.address
        patience = None if address.deadline is None else address.patience
        self._socket = FrameSocket(taken.socket, address.timeout_seconds, patience)
        self._exchange = Exchange(self._socket, protection_of(taken), taken)

    @property
    def is_alive(self) -> bool:
        """Whether the server has not ended the connection."""
        return not self._socket.is_ended()

    @property
    def credits(self) -> int:
        """What the server has granted, and nothing has used yet."""
        return self._exchange.window.credits

    def read_bytes_at_most(self, wanted: int) -> int:
        """As negotiated."""
        return min(wanted, self._largest_read)

    def listing_bytes_at_most(self, wanted: int) -> int:
        """As negotiated."""
        return min(wanted, self._largest_listing)

    def send(self, messages: Sequence[Packed]) -> list[int]:
        """Send one message or compound."""
        return self._exchange.send(messages)

    def answer(self, ticket: int) -> memoryview:
        """The body of the answer."""
        return self._exchange.take(ticket).body

    def _data(self, ticket: int) -> bytes:
        answer = self._exchange.take(ticket)
        return answer.payload or answers.data(answer.body)

    def discard(self, tickets: Iterable[int]) -> None:
        """Forget them: nothing is waited for."""
        self._exchange.discard(tickets)

    def release(self, handle: bytes) -> None:
        """Close the handle, and forget the answer."""
        try:
            self.discard(self.send([messages.close(handle)]))
        except WIRE_ERRORS:
            self.close()

    def close(self) -> None:
        """Close the socket, which smbprotocol still holds."""
        self._share.close()


def protection_of(taken: Handover) -> Protection:
    """Encryption where the session or the share demands it, else signatures."""
    if taken.cipher is None:
        return Signing(taken.signing_algorithm, taken.signing_key)
    return Encryption(taken.cipher, taken.encryption_key, taken.decryption_key, taken.session_id)
