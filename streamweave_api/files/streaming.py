"""Bodies that are read while they are sent, in threads of their own: slow downloads never keep a list waiting."""

from collections.abc import AsyncIterator, Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Scope, Send

P = ParamSpec("P")
T = TypeVar("T")

READERS = 8
_readers: RunVar[CapacityLimiter] = RunVar("readers")


class Pieces(Protocol):
    """An iterator over bytes that holds a file open until it is closed."""

    def __next__(self) -> bytes:
        """The next piece, or ``StopIteration``."""

    def close(self) -> None:
        """Let go of the file."""


async def apart(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``call`` returns, from one of the threads that only downloads use. Not left alone when cancelled."""
    try:
        limiter = _readers.get()
    except LookupError:
        limiter = CapacityLimiter(READERS)
        _readers.set(limiter)
    return await to_thread.run_sync(lambda: call(*args, **kwargs), limiter=limiter)


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
