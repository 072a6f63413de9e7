"""Changing a password, by the old one or by a token that was mailed. Both end all earlier tokens.

A mailed token works once, for one purpose, and for a short time. Functions that take a session leave the commit to the
caller.
"""

import uuid
from datetime import timedelta

from sqlalchemy import ColumnElement, Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from streamweave.access.login import Attempt, LoginLimits, counted_request, forgive_attempt, log_in
from streamweave.access.passwords import hash_password
from streamweave.access.tokens import end_all_tokens, random_token, token_digest
from streamweave.access.users import password, password_for, user_by_email, user_by_id
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import MailedToken, MailPurpose, User
from streamweave.errors import InvalidInput, NotAuthenticated
from streamweave.mail import Mailer

LIFETIMES = {MailPurpose.RESET_PASSWORD: timedelta(hours=1), MailPurpose.VERIFY: timedelta(days=1)}
# a stranger must not be able to fill a user's mailbox
MAIL_AT_MOST_EVERY = timedelta(minutes=1)

RESET = "password reset"
RESET_MAIL = """\
Someone, hopefully you, wants to set a new password for {email}.

Within {minutes} minutes, this sets it (choose the password yourself):

curl {public_url}/auth/reset-password --json '{{"token": "{token}", "password": "…"}}'

If it wasn't you, do nothing: your password stays as it is.
"""


def issue_mailed_token(session: Session, user: User, purpose: MailPurpose) -> str | None:
    """A token to mail to the user, in place of the one before; None when that was issued only just now."""
    token, now = random_token(), func.now()
    fresh = insert(MailedToken).values(
        user_id=user.id,
        purpose=purpose,
        token_digest=token_digest(token),
        email=user.email,
        created_at=now,
        expires_at=now + LIFETIMES[purpose],
    )
    issued = fresh.on_conflict_do_update(
        index_elements=[MailedToken.user_id, MailedToken.purpose],
        set_={column: fresh.excluded[column] for column in ("token_digest", "email", "created_at", "expires_at")},
        where=MailedToken.created_at < now - MAIL_AT_MOST_EVERY,
    )
    return token if session.scalar(issued.returning(MailedToken.user_id)) is not None else None


def receiver_of(session: Session, token: str, purpose: MailPurpose) -> User:
    """The active user whom a token that counts was sent to; it stays as it is. Raises ``NotAuthenticated``."""
    counting = select(MailedToken.user_id, MailedToken.email).where(*_counts(token, purpose))
    return _receiver(session, session.execute(counting).one_or_none())


def redeem_mailed_token(session: Session, token: str, purpose: MailPurpose) -> User:
    """Use the token up: its active user, locked until the transaction ends. Raises ``NotAuthenticated``."""
    used = delete(MailedToken).where(*_counts(token, purpose)).returning(MailedToken.user_id, MailedToken.email)
    return _receiver(session, session.execute(used).one_or_none(), for_update=True)


def _counts(token: str, purpose: MailPurpose) -> tuple[ColumnElement[bool], ...]:
    return (
        MailedToken.token_digest == token_digest(token),
        MailedToken.purpose == purpose,
        MailedToken.expires_at > func.now(),
    )


def _receiver(session: Session, found: Row[tuple[uuid.UUID, str]] | None, *, for_update: bool = False) -> User:
    user = session.get(User, found.user_id, with_for_update=for_update) if found else None
    if found is None or user is None or not user.is_active or user.email != found.email:
        raise NotAuthenticated("the token is not ours, or was used already, or has expired")
    return user


def change_password(
    sessions: Sessions, limits: LoginLimits, user: User, address: str, old_password: str, new_password: str
) -> None:
    """Give the user a new password.

    Raises ``InvalidInput``, or ``TooManyAttempts`` and ``TooBusy`` like a login from ``address``.
    """
    password_for(user.email, "new_password", password("new_password", new_password))
    try:
        log_in(sessions, limits, Attempt(user.email, address), old_password)
    except NotAuthenticated as error:
        raise InvalidInput("old_password", "is not the present password") from error
    new_hash = hash_password(new_password)
    with sessions.begin() as session:
        present = user_by_id(session, user.id)
        present.password_hash = new_hash
        end_all_tokens(session, present)


def mail_password_reset(sessions: Sessions, mailer: Mailer, public_url: str, email: str) -> None:
    """Mail the user with that address a token that sets a new password. Unknown addresses are ignored."""
    with sessions.begin() as session:
        user = user_by_email(session, email)
        token = issue_mailed_token(session, user, MailPurpose.RESET_PASSWORD) if user and user.is_active else None
    if user is not None and token is not None:
        minutes = int(LIFETIMES[MailPurpose.RESET_PASSWORD].total_seconds() // 60)
        text = RESET_MAIL.format(email=user.email, minutes=minutes, public_url=public_url.rstrip("/"), token=token)
        mailer.send(user.email, "A new password for StreamWeave", text)


def reset_password(sessions: Sessions, limits: LoginLimits, token: str, address: str, new_password: str) -> None:
    """Set the password that a mailed token allows to set; locks on the account don't concern ``address`` any more.

    Only for a token that counts is a password hashed. Raises ``NotAuthenticated`` for any other; ``InvalidInput``,
    ``TooManyAttempts`` and ``TooBusy`` leave the token as it was.
    """
    password("password", new_password)
    with counted_request(sessions, limits, RESET, address):
        with sessions() as session:
            email = receiver_of(session, token, MailPurpose.RESET_PASSWORD).email
        password_for(email, "password", new_password)
        with counted_request(sessions, limits, RESET, address, email):
            new_hash = hash_password(new_password)
    with sessions.begin() as session:
        user = redeem_mailed_token(session, token, MailPurpose.RESET_PASSWORD)
        user.password_hash, user.awaits_verification = new_hash, False
        end_all_tokens(session, user)
        forgive_attempt(session, Attempt(user.email, address))
