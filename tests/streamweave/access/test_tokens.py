import base64
import json
import uuid

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from streamweave.access.tokens import claims_of, issue_token
from streamweave.errors import NotAuthenticated

SECRET = "a secret of the tests, long enough to sign tokens"
USER = uuid.uuid4()


def test_a_token_says_who_it_was_issued_to() -> None:
    assert claims_of(issue_token(USER, SECRET, 60), SECRET).user_id == USER


def test_no_two_tokens_are_the_same() -> None:
    assert issue_token(USER, SECRET, 60) != issue_token(USER, SECRET, 60)


def test_a_token_ends() -> None:
    with pytest.raises(NotAuthenticated):
        claims_of(issue_token(USER, SECRET, -1), SECRET)


def test_a_token_of_somebody_else_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        claims_of(issue_token(USER, SECRET[::-1], 60), SECRET)


def test_a_token_without_a_signature_is_refused() -> None:
    def part(content: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    _, claims, _ = issue_token(USER, SECRET, 60).split(".")
    with pytest.raises(NotAuthenticated):
        claims_of(f"{part({'alg': 'none', 'typ': 'JWT'})}.{claims}.", SECRET)


@pytest.mark.parametrize("missing", ["sub", "exp", "iat", "jti", "ver"])
def test_a_token_that_lacks_a_claim_is_refused(missing: str) -> None:
    claims = {"sub": str(USER), "exp": 2**40, "iat": 0, "jti": "1", "ver": 0}
    del claims[missing]
    with pytest.raises(NotAuthenticated):
        claims_of(jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET)), SECRET)


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "\0", "é", "x" * 100_000])
def test_what_is_not_a_token_is_refused(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        claims_of(token, SECRET)


def test_a_token_for_nobody_is_refused() -> None:
    claims = {"sub": "nobody", "exp": 2**40, "iat": 0, "jti": "1", "ver": 0}
    with pytest.raises(NotAuthenticated):
        claims_of(jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET)), SECRET)
