"""Registering oneself, where that is open to everybody."""

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import User
from streamweave.identity.login_limits import LoginLimits, count_registration
from streamweave.identity.users import register


def register_oneself(sessions: Sessions, limits: LoginLimits, address: str, email: str, password: str) -> User:
    """A new user, who asks from the network address ``address``; that they asked counts, whatever comes of it.

    Raises what ``register`` does, and ``TooManyAttempts``.
    """
    with sessions.begin() as session:
        count_registration(session, limits, address)
    with sessions.begin() as session:
        return register(session, email, password)
