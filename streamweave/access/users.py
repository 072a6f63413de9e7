"""Users: the rules of their fields, finding them, and managing them. The caller commits.

There is always an active admin: the last one can't be removed.
"""

import re
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from streamweave.access.grants import NamedGrantee, apply_pending_grants, lock_names
from streamweave.access.passwords import hash_password, weakness
from streamweave.access.tokens import end_all_tokens
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import Sessions, add
from streamweave.catalog.tables import GranteeType, MailedToken, Role, User
from streamweave.errors import Conflict, InvalidInput, NotFound, StartError
from streamweave.validation import Rule, checked, flag, one_word_of, shaped_text

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024
LONGEST_EMAIL = 254

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# the HTML standard's "valid e-mail address" (section 4.10.5.1.5)
EMAIL = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")

_CREATION = Order(User.created_at, User.id)
# a token may have been obtained by what is changed here
ENDS_TOKENS = ("password_hash", "role", "is_active")


@shaped_text(max_length=LONGEST_EMAIL, pattern=f"^{EMAIL.pattern}$")
def email_address(field: str, value: Any) -> str:
    """An e-mail address, as browsers accept it."""
    if not isinstance(value, str) or len(value) > LONGEST_EMAIL or not EMAIL.fullmatch(value):
        raise InvalidInput(field, "is not an e-mail address")
    return value


@shaped_text(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)
def password(field: str, value: Any) -> str:
    """Any text of a length that is neither easily guessed nor costly to hash, and that is not on the blocklist."""
    if not isinstance(value, str) or not SHORTEST_PASSWORD <= len(value) <= LONGEST_PASSWORD:
        raise InvalidInput(field, f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return password_for(None, field, value)


def password_for(email: str | None, field: str, value: str) -> str:
    """The password, unless it is easily guessed for the user with that address. Raises ``InvalidInput``."""
    if problem := weakness(value, email):
        raise InvalidInput(field, problem)
    return value


FIELDS: dict[str, Rule] = {
    "email": email_address,
    "password": password,
    "role": one_word_of(*Role),
    "is_active": flag,
    "is_verified": flag,
}


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


def check_email_is_free(session: Session, email: str, besides: uuid.UUID | None = None) -> None:
    """Raises ``Conflict`` when the address is another user's."""
    same = user_by_email(session, email)
    if same is not None and same.id != besides:
        raise Conflict("email: a user with that e-mail address exists already")


def ensure_admin(sessions: Sessions, email: str, given_password: str | None) -> str | None:
    """Make sure that there is an admin with that address; an existing one keeps their password.

    Returns the password that was made up when an admin was made without one given, else None. Raises ``InvalidInput``,
    and ``StartError`` when the address belongs to a user who is no admin: they may have registered it themselves.
    """
    with sessions.begin() as session:
        user = user_by_email(session, email)
        if user is None:
            made_up = secrets.token_urlsafe(16) if given_password is None else None
            create_user(session, {"email": email, "password": given_password or made_up, "role": Role.ADMIN})
            return made_up
        if not user.is_admin:
            raise StartError(f"{email} is an ordinary user: give another address in STREAMWEAVE_ADMIN_EMAIL")
        return None


def reset_admin_password(sessions: Sessions, email: str, given_password: str | None) -> str | None:
    """Give an existing admin another password, which ends all of their tokens; returns it if it was made up.

    Raises ``NotFound``, ``StartError`` when the address is not an admin's, and ``InvalidInput``.
    """
    made_up = secrets.token_urlsafe(16) if given_password is None else None
    with sessions.begin() as session:
        user = user_by_email(session, email)
        if user is None:
            raise NotFound(f"User {email}")
        if not user.is_admin:
            raise StartError(f"{email} is an ordinary user: an admin can set their password")
        update_user(session, user.id, {"password": given_password or made_up})
    return made_up


def first_active_admin(session: Session) -> User | None:
    """The active admin who was made first."""
    return session.scalar(
        select(User).where(User.role == Role.ADMIN, User.is_active).order_by(User.created_at, User.id)
    )


def create_user(session: Session, values: Mapping[str, Any]) -> User:
    """A new user: ``email``, ``password``, and what else ``FIELDS`` names. Raises ``InvalidInput`` or ``Conflict``."""
    fields = checked(FIELDS, values, required=("email", "password"))
    password_for(fields["email"], "password", fields["password"])
    user = User(**_hashed(fields))
    lock_names(session)
    check_email_is_free(session, fields["email"])
    add(session, user)
    apply_pending_grants(session, NamedGrantee(GranteeType.USER, user.email))
    return user


def update_user(session: Session, user_id: uuid.UUID, changes: Mapping[str, Any]) -> User:
    """Change the given fields. A new address is unverified unless said otherwise.

    A new password or role, and being switched off or on, end all of the user's tokens.
    Raises ``NotFound``, ``InvalidInput`` or ``Conflict``.
    """
    wanted = checked(FIELDS, changes)
    fields = _hashed(wanted)
    lock_names(session)
    admins = _locked_admins(session)
    user = _locked(session, user_id)
    if "password" in wanted:
        password_for(wanted.get("email", user.email), "password", wanted["password"])
    if fields.get("role", Role.ADMIN) != Role.ADMIN or not fields.get("is_active", True):
        _check_another_admin(user, admins)
    if fields.get("email", user.email) != user.email:
        check_email_is_free(session, fields["email"], besides=user_id)
        fields = {"is_verified": False, **fields}
        session.execute(delete(MailedToken).where(MailedToken.user_id == user_id))
    changed = {field: value for field, value in fields.items() if value != getattr(user, field)}
    for field, value in changed.items():
        setattr(user, field, value)
    if user.is_verified:
        user.awaits_verification = False
    if changed.keys() & set(ENDS_TOKENS):
        end_all_tokens(session, user)
    session.flush()
    session.refresh(user)
    apply_pending_grants(session, NamedGrantee(GranteeType.USER, user.email))
    return user


def delete_user(session: Session, user_id: uuid.UUID) -> None:
    """Remove a user for good. Raises ``NotFound`` or ``Conflict``."""
    admins = _locked_admins(session)
    user = _locked(session, user_id)
    _check_another_admin(user, admins)
    session.delete(user)
    session.flush()


def _locked(session: Session, user_id: uuid.UUID) -> User:
    user = session.get(User, user_id, with_for_update=True)
    if user is None:
        raise NotFound("User")
    return user


def _locked_admins(session: Session) -> set[uuid.UUID]:
    """The active admins, locked: none of them can be removed or changed by others until this transaction ends."""
    active = select(User.id).where(User.role == Role.ADMIN, User.is_active)
    return set(session.scalars(active.order_by(User.id).with_for_update()))


def _check_another_admin(user: User, admins: set[uuid.UUID]) -> None:
    if admins == {user.id}:
        raise Conflict(f"{user.email} is the last active admin: make another user an admin first")


def _hashed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Done before any query: hashing takes a while, and connections are few."""
    kept = {field: value for field, value in fields.items() if field != "password"}
    if "password" in fields:
        kept["password_hash"] = hash_password(fields["password"])
    return kept
