"""Tokens that go out by mail: each works once, for one purpose, and not for long. The caller commits."""

import uuid
from datetime import timedelta

from sqlalchemy import ColumnElement, Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from streamweave.catalog.tables import MailedToken, MailPurpose, User
from streamweave.errors import NotAuthenticated
from streamweave.identity.random_tokens import random_token, token_digest

LIFETIMES = {MailPurpose.RESET_PASSWORD: timedelta(hours=1), MailPurpose.VERIFY: timedelta(days=1)}
# nobody's mailbox is to be filled by somebody else
MAIL_AT_MOST_EVERY = timedelta(minutes=1)


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
