import uuid
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from streamweave.access.tokens import Claims, csrf_token, csrf_token_matches

SECRET = "a secret of the tests, long enough to sign tokens"
LOGIN = Claims(uuid.uuid4(), uuid.uuid4().hex, 0, datetime.now(UTC))


def test_a_login_has_one_token_of_its_own() -> None:
    token = csrf_token(LOGIN, SECRET)
    assert csrf_token_matches(token, LOGIN, SECRET)
    assert not csrf_token_matches(token, replace(LOGIN, token_id=uuid.uuid4().hex), SECRET)
    assert not csrf_token_matches(token, LOGIN, SECRET[::-1])


@given(st.text())
def test_nothing_else_is_taken_for_it(shown: str) -> None:
    assert not csrf_token_matches(shown, LOGIN, SECRET)
