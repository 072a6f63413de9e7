import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.access.passwords import weakness

EMAIL = "jane.doe@facility.org"


@pytest.mark.parametrize("password", ["password", "PassWord1", "12345678", "qwertyuiop", "iloveyou1", "changeme"])
def test_the_commonest_passwords_are_refused_in_any_case(password: str) -> None:
    assert "commonest" in (weakness(password) or "")


@pytest.mark.parametrize("password", ["aaaaaaaaaaaaaaaa", "abcdefghijkl", "zyxwvutsrqpo", "23456789:;"])
def test_plain_sequences_are_refused(password: str) -> None:
    assert "sequence" in (weakness(password) or "")


@pytest.mark.parametrize(
    "password",
    ["streamweave", "StreamWeave-2026!", "streamweavestreamweave", "jane.doe", "JaneDoe1990", "facility_jane.doe"],
)
def test_the_words_of_this_place_and_ones_own_address_are_refused(password: str) -> None:
    assert "this service" in (weakness(password, EMAIL) or "")


@pytest.mark.parametrize(
    "password",
    ["testpassword123", "adminpassword123", "another password", "correct horse", "1994-11-02 7", "пароль не"],
)
def test_other_passwords_need_no_composition(password: str) -> None:
    assert weakness(password, "admin@test.org") is None


def test_short_parts_of_an_address_are_no_words() -> None:
    assert weakness("abo-abo-abo", "abo@x.de") is None


@given(st.text(max_size=40), st.emails())
def test_any_text_is_judged(password: str, email: str) -> None:
    problem = weakness(password, email)
    assert problem is None or problem.endswith("choose another one")
