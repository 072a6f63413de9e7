"""Rules for values that people enter: each takes the field's name and the value, and returns the value as it is kept.

All raise ``InvalidInput`` with the field's name. They check types too, because a manifest is as raw as a request.
"""

import math
import unicodedata
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from streamweave.errors import InvalidInput

Rule = Callable[[str, Any], Any]

LONGEST_NAME = 200
LONGEST_TEXT = 4000


def checked(rules: Mapping[str, Rule], values: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, each by its rule. A field without a rule is unknown."""
    for field in values:
        if field not in rules:
            raise InvalidInput(field, "unknown field")
    return {field: rules[field](field, value) for field, value in values.items()}


def require(values: Mapping[str, Any], *fields: str) -> None:
    """All of ``fields`` must have been given."""
    for field in fields:
        if field not in values:
            raise InvalidInput(field, "is required")


def has_control_character(text: str) -> bool:
    """Whether ``text`` holds a control character, or half of a surrogate pair, which the catalog can't hold."""
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def text(*, longest: int = LONGEST_TEXT, lines: bool = False) -> Rule:
    """Text of 1 to ``longest`` characters, without control characters (line breaks and tabs only with ``lines``)."""

    def rule(field: str, value: Any) -> str:
        if not isinstance(value, str):
            raise InvalidInput(field, "must be text")
        if not value.strip():
            raise InvalidInput(field, "must not be empty")
        if len(value) > longest:
            raise InvalidInput(field, f"must have at most {longest} characters")
        if has_control_character(value.translate({10: None, 13: None, 9: None}) if lines else value):
            raise InvalidInput(field, "must not hold control characters")
        return value

    return rule


name = text(longest=LONGEST_NAME)


def integer(lowest: int, highest: int) -> Rule:
    """A whole number within the bounds, both included."""

    def rule(field: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise InvalidInput(field, f"must be a whole number from {lowest} to {highest}")
        return value

    return rule


def number(lowest: float, highest: float) -> Rule:
    """A finite number within the bounds, both included."""

    def rule(field: str, value: Any) -> float:
        usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not usable or not lowest <= value <= highest:
            raise InvalidInput(field, f"must be a number from {lowest:g} to {highest:g}")
        return float(value)

    return rule


def flag(field: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidInput(field, "must be true or false")
    return value


def identity(field: str, value: Any) -> uuid.UUID:
    """The id of another row."""
    if not isinstance(value, uuid.UUID):
        raise InvalidInput(field, "must be an id")
    return value


def optional(rule: Rule) -> Rule:
    """What ``rule`` accepts, or None."""
    return lambda field, value: None if value is None else rule(field, value)


def one_word_of(*words: str) -> Rule:
    """One of a few fixed words."""

    def rule(field: str, value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise InvalidInput(field, f"must be {' or '.join(words)}")
        return str(value)

    return rule
