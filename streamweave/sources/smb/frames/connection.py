"""A connection to a share in frames of our own."""

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
        self.largest_read, self.largest_listing = taken.largest_read, taken.largest_listing
        address = share.address
        patience = None if address.deadline is None else address.patience
        self._socket = FrameSocket(taken.socket, address.timeout_seconds, patience)
        self._exchange = Exchange(self._socket, protection_of(taken), taken)

    @property
    def is_alive(self) -> bool:
        return not self._socket.is_ended()

    @property
    def credits(self) -> int:
        return self._exchange.credits

    def send(self, messages: Sequence[Packed]) -> list[int]:
        return self._exchange.send(messages)

    def answer(self, ticket: int) -> memoryview:
        return self._exchange.take(ticket).body

    def _data(self, ticket: int) -> bytes:
        answer = self._exchange.take(ticket)
        return answer.payload or answers.data(answer.body)

    def discard(self, tickets: Iterable[int]) -> None:
        self._exchange.discard(tickets)

    def release(self, handle: bytes) -> None:
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
