"""People who log in: how they register, how they are recognised, and how the first admin comes to be."""

import re
import secrets
import uuid
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Role, User
from streamweave.errors import Conflict, InvalidInput, NotAuthenticated, StartError
from streamweave.identity.passwords import hash_password, password_matches

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024
LONGEST_EMAIL = 254

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# the HTML standard's "valid e-mail address" (section 4.10.5.1.5)
EMAIL = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")


def register(session: Session, email: str, password: str, role: Role = Role.USER) -> User:
    """A new user. Raises ``InvalidInput`` for an unusable address or password, ``Conflict`` for an address in use."""
    if user_by_email(session, _checked_email(email)) is not None:
        raise Conflict("a user with that e-mail address exists already")
    user = User(email=email, password_hash=hash_password(_checked_password(password)), role=role)
    session.add(user)
    session.flush()
    return user


def authenticate(session: Session, email: str, password: str) -> User:
    """The active user with that address and password. Raises ``NotAuthenticated``, which doesn't say what was wrong."""
    user = user_by_email(session, email) if EMAIL.fullmatch(email) else None
    if not password_matches(password, user.password_hash if user else None) or user is None or not user.is_active:
        raise NotAuthenticated("wrong e-mail address or password")
    return user


def active_user(session: Session, user_id: uuid.UUID) -> User:
    """The user a token was issued to. Raises ``NotAuthenticated`` when they are gone, or switched off."""
    user = session.get(User, user_id)
    if user is None or not user.is_active:
        raise NotAuthenticated("there is no such active user")
    return user


def user_by_email(session: Session, email: str) -> User | None:
    """Addresses are the same whether written in upper or lower case."""
    return session.scalar(select(User).where(func.lower(User.email) == email.lower()))


def ensure_admin(sessions: Sessions, email: str, password: str | None) -> str | None:
    """Make sure that there is an admin with that address; an existing one keeps their password.

    Returns the password that was made up when an admin was made without one given, else None. Raises ``InvalidInput``,
    and ``StartError`` when the address belongs to somebody who is not an admin: they may have registered it themselves.
    """
    with sessions.begin() as session:
        user = user_by_email(session, email)
        if user is None:
            made_up = secrets.token_urlsafe(16) if password is None else None
            register(session, email, password or made_up or "", Role.ADMIN)
            return made_up
        if not user.is_admin:
            raise StartError(f"{email} is an ordinary user: give another address in STREAMWEAVE_ADMIN_EMAIL")
        return None


def _checked_email(email: Any) -> str:
    if not isinstance(email, str) or len(email) > LONGEST_EMAIL or not EMAIL.fullmatch(email):
        raise InvalidInput("email", "is not an e-mail address")
    return email


def _checked_password(password: Any) -> str:
    if not isinstance(password, str) or not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInput("password", f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return password
