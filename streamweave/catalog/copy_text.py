"""Rows as PostgreSQL's COPY reads them: a line each, tabs between the columns (its manual, COPY, Text Format)."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from types import NoneType
from typing import Any

PIECE_LINES = 200
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def copy_text(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The lines of rows that all have the same columns, some at a time.

    A value that is the very one of the row before, as most of them are, is not written anew. Raises ``TypeError`` for a
    value of a type not known here.
    """
    values: list[Any] = []
    texts: list[str] = []
    lines: list[str] = []
    for row in rows:
        if not values:
            values, texts = list(row), [text_of(value) for value in row]
        for place, value in enumerate(row):
            if value is not values[place]:
                values[place], texts[place] = value, text_of(value)
        lines.append("\t".join(texts))
        if len(lines) == PIECE_LINES:
            yield "\n".join(lines) + "\n"
            lines = []
    if lines:
        yield "\n".join(lines) + "\n"


def text_of(value: Any) -> str:
    """One value. Raises ``TypeError``."""
    form = _FORMS.get(type(value))
    if form:
        return form(value)
    if isinstance(value, str):  # a StrEnum
        return value.translate(_ESCAPES)
    raise TypeError(f"no text for COPY of a {type(value).__name__}")


_FORMS: Mapping[type, Callable[[Any], str]] = {
    NoneType: lambda _: r"\N",
    bool: lambda value: "t" if value else "f",
    date: date.isoformat,
    datetime: datetime.isoformat,
    float: repr,
    int: str,
    str: lambda value: value.translate(_ESCAPES),
    uuid.UUID: attrgetter("hex"),
}
