"""What admins do to users. The caller commits. There is always an active admin: the last one can't be taken away."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from streamweave.access.assignment import apply_pending_grants
from streamweave.access.grantees import NamedGrantee, lock_names
from streamweave.catalog.tables import GranteeType, MailedToken, Role, User
from streamweave.errors import Conflict, NotFound
from streamweave.identity.ending import end_all_tokens
from streamweave.identity.fields import FIELDS, password_for
from streamweave.identity.passwords import hash_password
from streamweave.identity.users import check_email_is_free
from streamweave.validation import checked, require

# whoever had a token may have had it for the wrong reasons
ENDS_TOKENS = ("password_hash", "role", "is_active")


def create_user(session: Session, values: Mapping[str, Any]) -> User:
    """A new user: ``email``, ``password``, and what else ``FIELDS`` names. Raises ``InvalidInput`` or ``Conflict``."""
    fields = checked(FIELDS, values)
    require(fields, "email", "password")
    password_for(fields["email"], "password", fields["password"])
    user = User(**_hashed(fields))
    lock_names(session)
    check_email_is_free(session, fields["email"])
    session.add(user)
    session.flush()
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
    """The active admins; none of them can be taken away by somebody else until this transaction ends."""
    active = select(User.id).where(User.role == Role.ADMIN, User.is_active)
    return set(session.scalars(active.order_by(User.id).with_for_update()))


def _check_another_admin(user: User, admins: set[uuid.UUID]) -> None:
    if admins == {user.id}:
        raise Conflict(f"{user.email} is the last active admin: make somebody else an admin first")


def _hashed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Done before the catalog is asked for anything: it takes a while, and connections are few."""
    kept = {field: value for field, value in fields.items() if field != "password"}
    if "password" in fields:
        kept["password_hash"] = hash_password(fields["password"])
    return kept
