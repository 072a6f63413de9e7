"""The end of tokens: one by one at logout, all of a user's at once, and those that time has overtaken."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.catalog.tables import (
    ApiToken,
    KnownAddress,
    LoginCount,
    MailedToken,
    MailPurpose,
    RevokedToken,
    User,
)
from streamweave.identity.tokens import Claims

SWEPT_AT_ONCE = 1000

_EXPIRING: list[tuple[InstrumentedAttribute[Any], InstrumentedAttribute[datetime]]] = [
    (RevokedToken.token_id, RevokedToken.expires_at),
    (MailedToken.token_digest, MailedToken.expires_at),
    (LoginCount.key, LoginCount.ends_at),
    (KnownAddress.key, KnownAddress.ends_at),
]


def end_token(session: Session, claims: Claims) -> None:
    """End one login. Ending it twice is no error."""
    revoked = insert(RevokedToken).values(token_id=claims.token_id, expires_at=claims.expires_at)
    session.execute(revoked.on_conflict_do_nothing())


def end_all_tokens(session: Session, user: User) -> None:
    """End every login of the user, their personal tokens, and the mail that would let them set a password."""
    session.refresh(user, ["token_version"], with_for_update=True)
    user.token_version += 1
    session.execute(delete(ApiToken).where(ApiToken.user_id == user.id))
    session.execute(
        delete(MailedToken).where(MailedToken.user_id == user.id, MailedToken.purpose == MailPurpose.RESET_PASSWORD)
    )
    session.flush()


def sweep(session: Session) -> None:
    """Remove what has expired, and waits for nobody: rows in use are left for the next time."""
    for key, ends_at in _EXPIRING:
        expired = select(key).where(ends_at < func.now()).limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True)
        session.execute(delete(key.class_).where(key.in_(expired)))
