"""Tokens: JSON Web Tokens (RFC 7519), signed with HMAC SHA-256."""

import time
import uuid

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from streamweave.errors import NotAuthenticated

ALGORITHM = "HS256"
SHORTEST_SECRET = 32

_CLAIMS = jwt.JWTClaimsRegistry(
    sub={"essential": True}, exp={"essential": True}, iat={"essential": True}, jti={"essential": True}
)


def issue_token(user_id: uuid.UUID, secret: str, lifetime_seconds: int) -> str:
    """A token that says who it was issued to. ``secret`` has ``SHORTEST_SECRET`` bytes or more (RFC 7518, 3.2)."""
    now = int(time.time())
    claims = {"sub": str(user_id), "iat": now, "exp": now + lifetime_seconds, "jti": uuid.uuid4().hex}
    return jwt.encode({"alg": ALGORITHM}, claims, OctKey.import_key(secret))


def user_id_of(token: str, secret: str) -> uuid.UUID:
    """Who the token was issued to. Raises ``NotAuthenticated`` when it isn't ours, or is no longer valid."""
    try:
        claims = jwt.decode(token, OctKey.import_key(secret), algorithms=[ALGORITHM]).claims
        _CLAIMS.validate(claims)
        return uuid.UUID(claims["sub"])
    except (JoseError, ValueError, TypeError, AttributeError) as error:
        raise NotAuthenticated("the token is not ours, or is no longer valid") from error
