"""Cron lines: the five classic fields, in the dialect that croniter and Dagster share."""

import re
from typing import Any

from croniter import croniter

from streamweave.errors import InvalidInput
from streamweave.validation import shaped, text

DAY, MONTH = 2, 3
LONGEST = 200
FEBRUARY = 2
NEVER_IN_FEBRUARY = (30, 31)

_ANY_CASE = {letter.lower(): f"[{letter}{letter.lower()}]" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def _field(number: str, *, names: str = "", week: str = "", special: str = "") -> str:
    """A list of ``*``, values, ranges and steps (in a week also ``#2``); ``special`` is what only this field knows."""
    words = ["".join(_ANY_CASE[letter] for letter in name) for name in names.split()]
    value = f"(?:{'|'.join([f'0*(?:{number})', *words])})"
    part = rf"(?:(?:\*|{value}(?:-{value})?)(?:/0*[1-9][0-9]*{week})?{special})"
    return f"{part}(?:,{part})*"


_DAY = "[1-9]|[12][0-9]|3[01]"
LINE = re.compile(
    " +".join(
        [
            _field("[1-5]?[0-9]"),
            _field("1?[0-9]|2[0-3]"),
            _field(_DAY, special=rf"|\?|[Ll]|[Ww](?:{_DAY})|(?:{_DAY})[Ww]"),
            _field("[1-9]|1[0-2]", names="jan feb mar apr may jun jul aug sep oct nov dec"),
            _field("[0-7]", names="sun mon tue wed thu fri sat", week="|#[1-5]", special=r"|\?|[Ll][0-7]"),
        ]
    )
)


@shaped(type="string", maxLength=LONGEST, pattern=f"^{LINE.pattern}$")
def cron_expression(field: str, value: Any) -> str:
    """A cron line with minute, hour, day of month, month and day of week; a day that never comes is refused."""
    line: str = text(longest=LONGEST)(field, value)
    # croniter would take R, too: a random moment, and another one each time that the line is read
    if not LINE.fullmatch(line) or not croniter.is_valid(line):
        raise InvalidInput(field, "is not a cron line: minute, hour, day of month, month, day of week")
    expanded = croniter.expand(line)[0]
    if expanded[MONTH] == [FEBRUARY] and len(expanded[DAY]) == 1 and expanded[DAY][0] in NEVER_IN_FEBRUARY:
        raise InvalidInput(field, "names a day that never comes")
    return line
