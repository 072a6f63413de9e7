"""Logging in with an e-mail address and a password."""

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import User
from streamweave.errors import NotAuthenticated
from streamweave.identity.ending import sweep
from streamweave.identity.login_limits import Attempt, LoginLimits, counted_attempt, forgive_attempt
from streamweave.identity.passwords import password_matches
from streamweave.identity.users import user_by_email


def log_in(sessions: Sessions, limits: LoginLimits, attempt: Attempt, password: str) -> User:
    """The active user whom address and password belong to; nothing of the catalog is held while passwords are compared.

    Raises ``NotAuthenticated``, which doesn't say what was wrong, ``TooManyAttempts`` or ``TooBusy``.
    """
    with counted_attempt(sessions, limits, attempt):
        with sessions() as session:
            user = user_by_email(session, attempt.email)
        matches = password_matches(password, user.password_hash if user else None)
    if user is None or not matches or not user.is_active or user.awaits_verification:
        raise NotAuthenticated("wrong e-mail address or password")
    with sessions.begin() as session:
        forgive_attempt(session, attempt)
        sweep(session)
    return user
