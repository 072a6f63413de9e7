"""Personal tokens for programs: shown once, kept as a digest, and ended by themselves after a while.

The caller commits.
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import ApiToken, TokenScope, User
from streamweave.errors import NotAllowed, NotAuthenticated, NotFound
from streamweave.identity.random_tokens import random_token, token_digest
from streamweave.validation import Rule, checked, integer, name, one_word_of, require

PREFIX = "swt_"
LONGEST_LIFETIME_DAYS = 366
# a row that is written for every request would be a bottleneck
USE_NOTED_EVERY = timedelta(minutes=1)

FIELDS: dict[str, Rule] = {
    "name": name,
    "scope": one_word_of(*TokenScope),
    "expires_in_days": integer(1, LONGEST_LIFETIME_DAYS),
}
DEFAULTS = {"scope": TokenScope.READ, "expires_in_days": 90}

_CREATION = Order(ApiToken.created_at, ApiToken.id)


def create_api_token(session: Session, user: User, values: Mapping[str, Any]) -> tuple[ApiToken, str]:
    """A new token (``name``, ``scope``, ``expires_in_days``) and its text, which can't be had again.

    Raises ``InvalidInput``, and ``NotAllowed`` when somebody else than an admin wants the scope ``admin``.
    """
    fields = {**DEFAULTS, **checked(FIELDS, values)}
    require(fields, "name")
    if fields["scope"] == TokenScope.ADMIN and not user.is_admin:
        raise NotAllowed("Admin access required")
    text = random_token(PREFIX)
    token = ApiToken(
        user_id=user.id,
        name=fields["name"],
        scope=fields["scope"],
        token_digest=token_digest(text),
        expires_at=func.now() + timedelta(days=fields["expires_in_days"]),
    )
    session.add(token)
    session.flush()
    session.refresh(token)
    return token, text


def api_tokens_of(session: Session, user: User, request: PageRequest) -> Page[ApiToken]:
    """The user's tokens in order of creation, expired ones included."""
    return page_of(session, select(ApiToken).where(ApiToken.user_id == user.id), _CREATION, request)


def delete_api_token(session: Session, user: User, token_id: uuid.UUID) -> None:
    """End one of the user's tokens. Raises ``NotFound``, also for somebody else's."""
    token = session.get(ApiToken, token_id)
    if token is None or token.user_id != user.id:
        raise NotFound("API token")
    session.delete(token)
    session.flush()


def user_of_api_token(session: Session, text: str) -> tuple[User, TokenScope]:
    """Whose token it is and what for; its use is noted. Raises ``NotAuthenticated``."""
    now = func.now()
    unnoted = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at < now - USE_NOTED_EVERY)
    found = session.execute(
        select(User, ApiToken, unnoted)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(ApiToken.token_digest == token_digest(text), ApiToken.expires_at > now, User.is_active)
    ).one_or_none()
    if found is None:
        raise NotAuthenticated("the token is unknown, or was ended, or has expired")
    user, token, is_unnoted = found
    if is_unnoted:
        session.execute(update(ApiToken).where(ApiToken.id == token.id, unnoted).values(last_used_at=now))
    return user, TokenScope(token.scope)
