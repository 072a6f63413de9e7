import random
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamweave.ark import BETANUMERICS, BLADE_LENGTH, Ark, check_character, mint, normalise, verify
from streamweave.errors import InvalidInput

KNOWN_GOOD = ["13030/xf93gt2q", "12345/q15fk5zszx"]
betanumeric = st.sampled_from(BETANUMERICS)
short_arks = st.builds(  # together with its check character, of fewer than 29 characters
    lambda naan, name: f"{naan}/{name}{check_character(f'{naan}/{name}')}",
    st.text(betanumeric, min_size=5, max_size=9),
    st.text(betanumeric, min_size=1, max_size=17),
)


@pytest.mark.parametrize("identifier", KNOWN_GOOD)
def test_the_published_examples_are_right(identifier: str) -> None:
    assert check_character(identifier[:-1]) == identifier[-1]
    assert verify(f"ark:/{identifier}")


@given(short_arks, st.data())
def test_a_single_wrong_character_is_always_detected(identifier: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(identifier) - 1))
    wrong = data.draw(betanumeric)
    assume(identifier[index] not in ("/", wrong))
    assert verify(f"ark:/{identifier}")
    assert not verify(f"ark:/{identifier[:index]}{wrong}{identifier[index + 1 :]}")


@given(short_arks, st.data())
def test_a_transposition_of_neighbours_is_always_detected(identifier: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(identifier) - 2))
    first, second = identifier[index], identifier[index + 1]
    assume(first != second and "/" not in (first, second))
    assert not verify(f"ark:/{identifier[:index]}{second}{first}{identifier[index + 2 :]}")


def test_a_minted_ark_has_its_shoulder_and_the_right_check_character() -> None:
    ark = mint("99999", "fk4")
    assert re.fullmatch(f"ark:/99999/fk4[{BETANUMERICS}]{{{BLADE_LENGTH + 1}}}", ark)
    assert verify(ark)
    assert str(normalise(ark)) == ark


def test_a_million_minted_arks_never_collide_in_practice() -> None:
    pairs = 1_000_000**2 / 2
    assert pairs / len(BETANUMERICS) ** BLADE_LENGTH < 1e-14
    assert len({mint("99999", "fk4") for _ in range(1000)}) == 1000


def test_the_same_randomness_mints_the_same_ark() -> None:
    assert mint("99999", "fk4", randomness=random.Random(7)) == mint("99999", "fk4", randomness=random.Random(7))


@given(st.integers(), st.data())
def test_every_wrong_character_in_a_minted_ark_shows(seed: int, data: st.DataObject) -> None:
    identifier = mint("99999", "fk4", randomness=random.Random(seed)).removeprefix("ark:/")
    index = data.draw(st.integers(0, len(identifier) - 1))
    wrong = data.draw(betanumeric)
    assume(identifier[index] not in ("/", wrong))
    assert not verify(f"ark:/{identifier[:index]}{wrong}{identifier[index + 1 :]}")


@pytest.mark.parametrize(
    ("naan", "shoulder", "field"),
    [
        ("9999", "fk4", "naan"),
        ("99a99", "fk4", "naan"),
        ("99999\n", "fk4", "naan"),
        ("99999", "fk", "shoulder"),
        ("99999", "4", "shoulder"),
        ("99999", "fk4/", "shoulder"),
        ("99999", "fl4", "shoulder"),
    ],
)
def test_minting_refuses_a_naan_or_shoulder_that_is_none(naan: str, shoulder: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        mint(naan, shoulder)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("text", "ark"),
    [
        ("ark:/99999/fk4abc", Ark("99999", "fk4abc")),
        ("ark:99999/fk4abc", Ark("99999", "fk4abc")),
        ("ARK:/99999/fk4abc", Ark("99999", "fk4abc")),
        (" aRk:99999/fk4abc\n", Ark("99999", "fk4abc")),
        ("ark:/B5Z99/Fk4aBc", Ark("b5z99", "Fk4aBc")),
        ("ark:/9-9999/fk4-a\u2010b\u2013c", Ark("99999", "fk4abc")),
        ("ark:/99999/fk4%c3%a9/x%2f", Ark("99999", "fk4%C3%A9", "/x%2F")),
        ("ark:/99999/fk4abc.v2", Ark("99999", "fk4abc", ".v2")),
        ("ark:/99999/fk4abc/page.v2.en", Ark("99999", "fk4abc", "/page.v2.en")),
        ("ark:/99999/fk4abc/", Ark("99999", "fk4abc")),
        ("ark:/99999/fk4abc.", Ark("99999", "fk4abc")),
    ],
)
def test_arks_are_read_in_all_their_spellings(text: str, ark: Ark) -> None:
    assert normalise(text) == ark


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ark:",
        "ark:/",
        "ark:/99999",
        "ark:/99999/",
        "ark://99999/fk4",
        "99999/fk4abc",
        "doi:10.1/x",
        "ark:/9999/fk4abc",
        "ark:/99a99/fk4abc",
        "ark:/99999/fk4 abc",
        "ark:/99999/fk4abc?info",
        "ark:/99999/fk4ä",
        "ark:/99999/fk4%4",
        "ark:/99999/fk4%zz",
        "ar\u212a:/99999/fk4",
        "ark:/9999\u212a/fk4",
    ],
)
def test_what_is_no_ark_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        normalise(text)
    assert refused.value.field == "ark"
    assert not verify(text)


@given(st.from_regex(r"(?i)ark:/?[0-9b-df-hjkm]{5,7}/[a-z0-9=~*+@_$%-]{1,9}([/.][a-z0-9]{1,5}){0,3}", fullmatch=True))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    try:
        ark = normalise(text)
    except InvalidInput:
        assume(False)
    assert normalise(str(ark)) == ark


def test_a_suffix_does_not_disturb_the_check() -> None:
    assert verify("ARK:12345/q15fk5-zszx/page.v2")


@pytest.mark.parametrize("ark", ["ark:/12345/q15fk5zszX", "ark:/12345/q15fk5zszz", "ark:/12345/q", "ark:/12345/a"])
def test_a_name_without_the_right_check_character_does_not_verify(ark: str) -> None:
    assert not verify(ark)
