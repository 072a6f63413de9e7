import uuid
from typing import Any

import pytest

from streamweave import validation
from streamweave.errors import InvalidInput


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (validation.name, "Röntgen 01"),
        (validation.text(lines=True), "two\nlines"),
        (validation.integer(1, 3), 3),
        (validation.number(0, 1), 0.5),
        (validation.flag, False),
        (validation.one_word_of("a", "b"), "b"),
        (validation.identity, uuid.UUID(int=1)),
        (validation.optional(validation.flag), None),
    ],
)
def test_what_fits_is_kept(rule: validation.Rule, value: Any) -> None:
    assert rule("field", value) == value


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (validation.name, ""),
        (validation.name, " \t"),
        (validation.name, 1),
        (validation.name, "a\0"),
        (validation.name, "a\n"),
        (validation.name, "\ud800"),
        (validation.name, "x" * 201),
        (validation.text(lines=True), "a\0\n"),
        (validation.integer(1, 3), 0),
        (validation.integer(1, 3), 4),
        (validation.integer(0, 3), True),
        (validation.integer(1, 3), 1.0),
        (validation.integer(1, 3), "1"),
        (validation.number(0, 1), float("nan")),
        (validation.number(0, 1), 1.01),
        (validation.number(0, 1), True),
        (validation.flag, 1),
        (validation.flag, None),
        (validation.one_word_of("a", "b"), "c"),
        (validation.one_word_of("a", "b"), []),
        (validation.identity, "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_fields_name(rule: validation.Rule, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        rule("field", value)
    assert refused.value.field == "field"


def test_a_field_that_is_unknown_or_missing_is_named() -> None:
    with pytest.raises(InvalidInput, match="colour: unknown field"):
        validation.checked({"name": validation.name}, {"name": "a", "colour": "red"})
    with pytest.raises(InvalidInput, match="name: is required"):
        validation.require({}, "name")
