"""Tokens: of logins, against forged requests, and personal ones for programs. The caller commits.

Login tokens are JSON Web Tokens (RFC 7519), signed with HMAC SHA-256; they can be ended one by one, or all of a user's
at once. The token against forged requests is the signed double-submit cookie of OWASP's "Cross-Site Request Forgery
Prevention", bound to one login, so nothing is stored for it. All other tokens are 32 random bytes, of which only the
SHA-256 is kept: unlike passwords they can't be guessed.
"""

import hashlib
import hmac
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import bindparam, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.catalog.deletion import remove
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import add
from streamweave.catalog.tables import (
    ApiToken,
    KnownAddress,
    LoginCount,
    MailedToken,
    MailPurpose,
    RevokedToken,
    TokenScope,
    User,
)
from streamweave.errors import NotAllowed, NotAuthenticated
from streamweave.validation import Rule, checked, integer, name, one_word_of

ALGORITHM = "HS256"
SHORTEST_SECRET = 32
VERSION = "ver"

_CLAIMS = jwt.JWTClaimsRegistry(
    sub={"essential": True},
    exp={"essential": True},
    iat={"essential": True},
    jti={"essential": True},
    ver={"essential": True},
)

# made once: it is asked with each request
_ENDED = exists().where(RevokedToken.token_id == bindparam("token_id"))
_USER = select(User).where(
    User.id == bindparam("user_id"), User.is_active, User.token_version == bindparam("token_version"), ~_ENDED
)
SWEPT_AT_ONCE = 1000
_EXPIRING: list[tuple[InstrumentedAttribute[Any], InstrumentedAttribute[datetime]]] = [
    (RevokedToken.token_id, RevokedToken.expires_at),
    (MailedToken.token_digest, MailedToken.expires_at),
    (LoginCount.key, LoginCount.ends_at),
    (KnownAddress.key, KnownAddress.ends_at),
]
RANDOM_BYTES = 32
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


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token of ours says: whose it is, its own id, and the user's ``token_version`` when it was issued."""

    user_id: uuid.UUID
    token_id: str
    token_version: int
    expires_at: datetime


def issue_token(user_id: uuid.UUID, secret: str, lifetime_seconds: int, token_version: int = 0) -> str:
    """A token that says who it was issued to. ``secret`` has ``SHORTEST_SECRET`` bytes or more (RFC 7518, 3.2)."""
    now = int(time.time())
    claims = {
        "sub": str(user_id),
        "iat": now,
        "exp": now + lifetime_seconds,
        "jti": uuid.uuid4().hex,
        VERSION: token_version,
    }
    return jwt.encode({"alg": ALGORITHM}, claims, OctKey.import_key(secret))


def claims_of(token: str, secret: str) -> Claims:
    """What the token says. Raises ``NotAuthenticated`` when it isn't ours, or has expired."""
    try:
        claims = jwt.decode(token, OctKey.import_key(secret), algorithms=[ALGORITHM]).claims
        _CLAIMS.validate(claims)
        return Claims(
            user_id=uuid.UUID(claims["sub"]),
            token_id=str(claims["jti"]),
            token_version=int(claims[VERSION]),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    except (JoseError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise NotAuthenticated("the token is not ours, or is no longer valid") from error


def user_of_login(session: Session, claims: Claims) -> User:
    """Whose login it is. Raises ``NotAuthenticated`` when it was ended, or its user is gone or switched off."""
    shown = {"user_id": claims.user_id, "token_version": claims.token_version, "token_id": claims.token_id}
    user = session.scalar(_USER, shown)
    if user is None:
        raise NotAuthenticated("the login was ended, or there is no such active user")
    return user


def csrf_token(claims: Claims, secret: str) -> str:
    """What requests of this login must show."""
    return hmac.new(secret.encode(), b"csrf\0" + claims.token_id.encode(), hashlib.sha256).hexdigest()


def csrf_token_matches(shown: str, claims: Claims, secret: str) -> bool:
    """Whether ``shown`` is this login's."""
    return hmac.compare_digest(shown.encode(errors="backslashreplace"), csrf_token(claims, secret).encode())


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
    """Remove expired rows without waiting: those that are locked are left for the next time."""
    for key, ends_at in _EXPIRING:
        expired = select(key).where(ends_at < func.now()).limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True)
        session.execute(delete(key.class_).where(key.in_(expired)))


def random_token(prefix: str = "") -> str:
    """A new token, fit for URLs and headers."""
    return prefix + secrets.token_urlsafe(RANDOM_BYTES)


def token_digest(token: str) -> bytes:
    """What is kept of a token; whatever text it is."""
    return hashlib.sha256(token.encode(errors="backslashreplace")).digest()


def create_api_token(session: Session, user: User, values: Mapping[str, Any]) -> tuple[ApiToken, str]:
    """A new token (``name``, ``scope``, ``expires_in_days``) and its text, which can't be had again.

    Raises ``InvalidInput``, and ``NotAllowed`` when a user who is no admin wants the scope ``admin``.
    """
    fields = {**DEFAULTS, **checked(FIELDS, values, required=("name",))}
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
    add(session, token)
    session.refresh(token)
    return token, text


def api_tokens_of(session: Session, user: User, request: PageRequest) -> Page[ApiToken]:
    """The user's tokens in order of creation, expired ones included."""
    return page_of(session, select(ApiToken).where(ApiToken.user_id == user.id), _CREATION, request)


def delete_api_token(session: Session, user: User, token_id: uuid.UUID) -> None:
    """End one of the user's tokens. Raises ``NotFound``, also for another user's."""
    remove(session, ApiToken, token_id, "API token", user_id=user.id)


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
