"""People who log in: how they register, how they are found, and how the first admin comes to be."""

import secrets
import uuid

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Role, User
from streamweave.errors import Conflict, NotFound, StartError
from streamweave.identity.fields import EMAIL, email_address, password, password_for
from streamweave.identity.passwords import hash_password

_CREATION = Order(User.created_at, User.id)


def users(session: Session, request: PageRequest) -> Page[User]:
    """All users in order of creation."""
    return page_of(session, select(User), _CREATION, request)


def user_by_id(session: Session, user_id: uuid.UUID) -> User:
    """Raises ``NotFound``."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("User")
    return user


def user_by_email(session: Session, email: str) -> User | None:
    """Addresses are the same whether written in upper or lower case."""
    if not EMAIL.fullmatch(email):
        return None
    return session.scalar(select(User).where(func.lower(User.email) == email.lower()))


def register(session: Session, email: str, new_password: str, role: Role = Role.USER) -> User:
    """A new user. Raises ``InvalidInput`` for an unusable address or password, ``Conflict`` for an address in use."""
    password_for(email_address("email", email), "password", password("password", new_password))
    user = User(email=email, password_hash=hash_password(new_password), role=role)
    check_email_is_free(session, email)
    session.add(user)
    session.flush()
    return user


def check_email_is_free(session: Session, email: str, besides: uuid.UUID | None = None) -> None:
    """Raises ``Conflict`` when the address is another user's."""
    same = user_by_email(session, email)
    if same is not None and same.id != besides:
        raise Conflict("email: a user with that e-mail address exists already")


def ensure_admin(sessions: Sessions, email: str, given_password: str | None) -> str | None:
    """Make sure that there is an admin with that address; an existing one keeps their password.

    Returns the password that was made up when an admin was made without one given, else None. Raises ``InvalidInput``,
    and ``StartError`` when the address belongs to somebody who is not an admin: they may have registered it themselves.
    """
    with sessions.begin() as session:
        user = user_by_email(session, email)
        if user is None:
            made_up = secrets.token_urlsafe(16) if given_password is None else None
            register(session, email, given_password or made_up or "", Role.ADMIN)
            return made_up
        if not user.is_admin:
            raise StartError(f"{email} is an ordinary user: give another address in STREAMWEAVE_ADMIN_EMAIL")
        return None
