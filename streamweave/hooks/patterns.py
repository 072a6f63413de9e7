"""Patterns that people configure, matched in time linear in the text.

Both kinds run on RE2, whose automata never backtrack: no pattern, however it is written, can hang a harvest. That rules
out look-around and back-references (https://github.com/google/re2/wiki/Syntax).
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import re2

LONGEST_PATTERN = 1000  # characters
PATTERN_MEMORY = 1 << 20  # bytes: bounds the automaton, and so the time for each character of a path

_SHELL_TOKEN = re.compile(
    r"(?P<stars>\*+)|(?P<one>\?)|\[(?P<negated>!?+)(?P<members>\]?+[^\]]*+)\]|(?P<literal>.)", re.DOTALL
)
_GROUP_NAME = re.compile(r"\\.|\(\?P?<(\w+)>", re.DOTALL)
_BACKTRACKING = re.compile(r"\(\?<?[=!]|\\[1-9]|\(\?P=")


@dataclass(frozen=True, slots=True)
class ShellPattern:
    """A shell pattern as it was entered, ready to match."""

    text: str
    regex: Any  # RE2's binding has no types

    def matches(self, *texts: str) -> bool:
        """Whether the pattern matches all of at least one of the texts, upper and lower case being the same."""
        return any(self.regex.fullmatch(text) is not None for text in texts)


@dataclass(frozen=True, slots=True)
class GroupPattern:
    """A regular expression with named groups, ready to search."""

    regex: Any  # RE2's binding has no types

    def groups(self, text: str) -> dict[str, str]:
        """What the named groups hold at the first place that matches; groups that took no part are left out."""
        found = self.regex.search(text)
        return {} if found is None else {name: part for name, part in found.groupdict().items() if part is not None}


def shell_pattern(entered: object) -> ShellPattern:
    """A pattern of ``*`` (anything, ``/`` too), ``?`` (one character), ``[abc]``, ``[a-z]`` and ``[!abc]``.

    Case doesn't matter, because it doesn't on the Windows PCs that write the files. Raises ``ValueError``.
    """
    text = _pattern_text(entered)
    expression = "".join(_translated(token) for token in _SHELL_TOKEN.finditer(text))
    return ShellPattern(text, _compiled(expression, case_sensitive=False, dot_nl=True))


def group_pattern(entered: object) -> GroupPattern:
    """A regular expression in RE2's syntax with at least one named group, ``(?P<name>…)``. Raises ``ValueError``."""
    text = _pattern_text(entered)
    pattern = GroupPattern(_compiled(text))
    if not pattern.regex.groupindex:
        raise ValueError("has no named group, such as (?P<sample>[a-z]+), so it would find nothing")
    repeated = [name for name, times in Counter(_GROUP_NAME.findall(text)).items() if name and times > 1]
    if repeated:  # RE2 would report the first one only
        raise ValueError(f"names the group {repeated[0]!r} more than once")
    return pattern


def _pattern_text(entered: object) -> str:
    if not isinstance(entered, str):
        raise ValueError("must be text")  # noqa: TRY004 - the one error for every bad pattern
    if not entered:
        raise ValueError("must not be empty")
    if len(entered) > LONGEST_PATTERN:
        raise ValueError(f"is longer than {LONGEST_PATTERN} characters")
    if any("\ud800" <= character <= "\udfff" for character in entered):
        raise ValueError("is not valid Unicode")
    return entered


def _translated(token: re.Match[str]) -> str:
    if token["stars"]:
        return ".*"
    if token["one"]:
        return "."
    if token["literal"]:
        return str(re2.escape(token["literal"]))
    members = re.sub(r"[\\\[\]^]", r"\\\g<0>", token["members"])
    return f"[{'^' if token['negated'] else ''}{members}]"


def _compiled(expression: str, **options: bool) -> Any:
    settings = re2.Options()
    settings.log_errors = False  # else RE2 writes every bad pattern to stderr
    settings.max_mem = PATTERN_MEMORY
    for option, value in options.items():
        setattr(settings, option, value)
    try:
        return re2.compile(expression, settings)
    except re2.error as refused:
        raise ValueError(_refusal(expression, refused.args[0].decode("utf-8", "replace"))) from refused


def _refusal(expression: str, reason: str) -> str:
    problem = f"is not a pattern that RE2 accepts: {reason}"
    if _BACKTRACKING.search(expression):
        return f"{problem}; look-around and back-references can't be matched in linear time"
    return problem
