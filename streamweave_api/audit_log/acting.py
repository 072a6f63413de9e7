"""For whom a request works: what it changes is on record as theirs."""

from typing import Any

from litestar import Request

from streamweave.access.audit import Actor, acting

READING = frozenset({"GET", "HEAD", "OPTIONS"})


async def note_actor(request: Request[Any, Any, Any]) -> None:
    """Runs before each handler. What only reads leaves nothing to record, and isn't slowed down by it."""
    user = request.scope.get("user")
    actor = Actor() if user is None else Actor(user.id, user.email)
    acting.set(None if request.method in READING else actor)
