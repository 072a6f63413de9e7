"""Logging in with an e-mail address and a password."""

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import User
from streamweave.errors import NotAuthenticated
from streamweave.identity.ending import sweep
from streamweave.identity.login_limits import Attempt, LoginLimits, count_attempt, forgive_attempt
from streamweave.identity.passwords import password_matches
from streamweave.identity.users import user_by_email


def log_in(sessions: Sessions, limits: LoginLimits, attempt: Attempt, password: str) -> User:
    """The active user whom address and password belong to; nothing of the catalog is held while passwords are compared.

    Raises ``NotAuthenticated``, which doesn't say what was wrong, or ``TooManyAttempts``.
    """
    with sessions.begin() as session:
        count_attempt(session, limits, attempt)
        user = user_by_email(session, attempt.email)
    if not password_matches(password, user.password_hash if user else None) or user is None or not user.is_active:
        raise NotAuthenticated("wrong e-mail address or password")
    with sessions.begin() as session:
        forgive_attempt(session, attempt)
        sweep(session)
    return user
