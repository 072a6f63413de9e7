"""The tokens of logins: JSON Web Tokens (RFC 7519), signed with HMAC SHA-256."""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from streamweave.errors import NotAuthenticated

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
