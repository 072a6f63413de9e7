"""Against forged requests: what a page must send along when the browser adds the login's cookie by itself.

The signed double-submit cookie of OWASP's "Cross-Site Request Forgery Prevention", bound to one login: nothing is
stored, and a token that another login was given, or that was planted, proves nothing.
"""

import hashlib
import hmac

from streamweave.identity.tokens import Claims


def csrf_token(claims: Claims, secret: str) -> str:
    """What requests of this login must show."""
    return hmac.new(secret.encode(), b"csrf\0" + claims.token_id.encode(), hashlib.sha256).hexdigest()


def csrf_token_matches(shown: str, claims: Claims, secret: str) -> bool:
    """Whether ``shown`` is this login's."""
    return hmac.compare_digest(shown.encode(errors="backslashreplace"), csrf_token(claims, secret).encode())
