"""Headers that every answer carries: errors, downloads, pages and redirects too."""

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

NOT_TO_BE_KEPT = "no-store"


async def complete_headers(message: Message, _: Scope) -> None:
    """The hook before an answer is sent.

    No browser is to guess at types. And answers are for whoever asked: what doesn't say how it may be kept is kept by
    nobody, neither logins and tokens nor lists of files.
    """
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Cache-Control", NOT_TO_BE_KEPT)
