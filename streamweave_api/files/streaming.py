"""Bodies that are read while they are sent, in threads of their own: slow downloads never keep a list waiting."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from anyio import CancelScope
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Scope, Send

from streamweave_api.threads import Threads

apart = Threads("downloads", 8).run


class Pieces(Protocol):
    """An iterator over bytes that holds a file open until it is closed."""

    def __next__(self) -> bytes:
        """The next piece, or ``StopIteration``."""

    def close(self) -> None:
        """Let go of the file."""


class Download(ASGIStreamingResponse):
    """The pieces as a body. They are closed whatever happens: the end, a client that goes away, an error."""

    def __init__(self, pieces: Pieces, headers: dict[str, Any], **options: Any) -> None:
        super().__init__(iterator=_read(pieces), headers=headers, **options)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await apart(self._pieces.close)


async def _read(pieces: Pieces) -> AsyncIterator[bytes]:
    while piece := await apart(_next, pieces):
        yield piece


def _next(pieces: Pieces) -> bytes:
    """The next piece; empty at the end, because ``StopIteration`` can't leave a thread."""
    try:
        return next(pieces)
    except StopIteration:
        return b""
