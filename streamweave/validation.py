"""Rules for values that people enter: each takes the field's name and the value, and returns the value as it is kept.

All raise ``InvalidInput`` with the field's name. They check types too, because a manifest is as raw as a request.
Each rule also has a JSON Schema (draft 2020-12) of what it takes, from which the service's OpenAPI document is made: a
rule takes nothing that its schema forbids, and refuses hardly anything that its schema allows. Types, bounds, lengths
and patterns are ``msgspec.Meta``; only what that can't express is written as a schema.
"""

import unicodedata
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from streamweave.errors import InvalidInput

Rule = Callable[[str, Any], Any]
Schema = Mapping[str, Any]

LONGEST_NAME = 200
LONGEST_TEXT = 4000

# control characters, within brackets of a pattern; halves of surrogate pairs don't get through JSON's UTF-8
CONTROL = r"\u0000-\u001f\u007f-\u009f"
CONTROL_BESIDES_LINES = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"


@dataclass(frozen=True, slots=True)
class Shaped:
    """A rule with the schema of what it takes."""

    rule: Rule
    schema: Schema

    def __call__(self, field: str, value: Any) -> Any:
        """The value as it is kept. Raises ``InvalidInput``."""
        return self.rule(field, value)


def shaped(**schema: Any) -> Callable[[Rule], Shaped]:
    """What a rule takes, in the keywords of JSON Schema."""
    return lambda rule: Shaped(rule, schema)


def shaped_text(**meta: Any) -> Callable[[Rule], Shaped]:
    """What a rule of text takes, as ``msgspec.Meta`` has it: ``min_length``, ``max_length``, ``pattern``."""
    return lambda rule: Shaped(rule, msgspec.json.schema(Annotated[str, Meta(**meta)]))


def schema_of(rule: Rule) -> Schema:
    """The schema of a rule; empty for one without."""
    return rule.schema if isinstance(rule, Shaped) else {}


def typed(kind: Any, problem: str) -> Rule:
    """What msgspec takes for ``kind`` without converting it; ``problem`` is the sentence for everything else."""

    def rule(field: str, value: Any) -> Any:
        try:
            return msgspec.convert(value, kind, builtin_types=(uuid.UUID,))
        except msgspec.ValidationError as error:
            raise InvalidInput(field, problem) from error

    return Shaped(rule, msgspec.json.schema(kind))


def sound(forbidden: str, *, besides: str = "") -> str:
    """The pattern of a text that is more than blanks and holds none of ``forbidden``.

    ``besides`` is a look-ahead: what the whole text must not be.
    """
    return rf"^{besides}[^{forbidden}]*[^\s{forbidden}][^{forbidden}]*$"


def checked(rules: Mapping[str, Rule], values: Mapping[str, Any], *, required: Iterable[str] = ()) -> dict[str, Any]:
    """The given values, each by its rule. A field without a rule is unknown; all of ``required`` must be given."""
    for field in values:
        if field not in rules:
            raise InvalidInput(field, "unknown field")
    kept = {field: rules[field](field, value) for field, value in values.items()}
    require(kept, *required)
    return kept


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
    pattern = sound(CONTROL_BESIDES_LINES if lines else CONTROL)

    @shaped_text(min_length=1, max_length=longest, pattern=pattern)
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
    whole = Annotated[int, Meta(ge=lowest, le=highest)]
    return typed(whole, f"must be a whole number from {lowest} to {highest}")


def number(lowest: float, highest: float) -> Rule:
    """A finite number within the bounds, both included; kept as a float."""
    finite = Annotated[float, Meta(ge=lowest, le=highest)]
    return typed(finite, f"must be a number from {lowest:g} to {highest:g}")


flag = typed(bool, "must be true or false")
identity = typed(uuid.UUID, "must be an id")


def optional(rule: Rule) -> Rule:
    """What ``rule`` accepts, or None."""

    @shaped(anyOf=[schema_of(rule), {"type": "null"}])
    def optional_rule(field: str, value: Any) -> Any:
        return None if value is None else rule(field, value)

    return optional_rule


def one_word_of(*words: str) -> Rule:
    """One of a few fixed words."""

    @shaped(type="string", enum=[str(word) for word in words])
    def rule(field: str, value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise InvalidInput(field, f"must be {' or '.join(words)}")
        return str(value)

    return rule
