import uuid
from typing import Any

import pytest

from streamweave import rules
from streamweave.errors import InvalidInput


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (rules.name, "Röntgen 01"),
        (rules.text(lines=True), "two\nlines"),
        (rules.integer(1, 3), 3),
        (rules.number(0, 1), 0.5),
        (rules.flag, False),
        (rules.one_word_of("a", "b"), "b"),
        (rules.identity, uuid.UUID(int=1)),
        (rules.optional(rules.flag), None),
    ],
)
def test_what_fits_is_kept(rule: rules.Rule, value: Any) -> None:
    assert rule("field", value) == value


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (rules.name, ""),
        (rules.name, " \t"),
        (rules.name, 1),
        (rules.name, "a\0"),
        (rules.name, "a\n"),
        (rules.name, "\ud800"),
        (rules.name, "x" * 201),
        (rules.text(lines=True), "a\0\n"),
        (rules.integer(1, 3), 0),
        (rules.integer(1, 3), 4),
        (rules.integer(0, 3), True),
        (rules.integer(1, 3), 1.0),
        (rules.integer(1, 3), "1"),
        (rules.number(0, 1), float("nan")),
        (rules.number(0, 1), 1.01),
        (rules.number(0, 1), True),
        (rules.flag, 1),
        (rules.flag, None),
        (rules.one_word_of("a", "b"), "c"),
        (rules.one_word_of("a", "b"), []),
        (rules.identity, "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_fields_name(rule: rules.Rule, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        rule("field", value)
    assert refused.value.field == "field"


def test_a_field_that_is_unknown_or_missing_is_named() -> None:
    with pytest.raises(InvalidInput, match="colour: unknown field"):
        rules.checked({"name": rules.name}, {"name": "a", "colour": "red"})
    with pytest.raises(InvalidInput, match="name: is required"):
        rules.require({}, "name")
