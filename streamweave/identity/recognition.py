"""From a token to its user, in one query."""

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import RevokedToken, User
from streamweave.errors import NotAuthenticated
from streamweave.identity.tokens import Claims


def user_of_login(session: Session, claims: Claims) -> User:
    """Whose login it is. Raises ``NotAuthenticated`` when it was ended, or its user is gone or switched off."""
    shown = {"user_id": claims.user_id, "token_version": claims.token_version, "token_id": claims.token_id}
    user = session.scalar(_USER, shown)
    if user is None:
        raise NotAuthenticated("the login was ended, or there is no such active user")
    return user


# made once: it is asked with each request
_ENDED = exists().where(RevokedToken.token_id == bindparam("token_id"))
_USER = select(User).where(
    User.id == bindparam("user_id"), User.is_active, User.token_version == bindparam("token_version"), ~_ENDED
)
