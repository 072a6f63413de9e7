"""Cron lines: the five classic fields, in the dialect that croniter and Dagster share."""

from typing import Any

from croniter import croniter

from streamweave.errors import InvalidInput
from streamweave.rules import text

FIELDS = 5
DAY, MONTH = 2, 3
LONGEST = 200
FEBRUARY = 2
NEVER_IN_FEBRUARY = (30, 31)


def cron_expression(field: str, value: Any) -> str:
    """A cron line with minute, hour, day of month, month and day of week; a day that never comes is refused."""
    line: str = text(longest=LONGEST)(field, value)
    if len(line.split()) != FIELDS or not croniter.is_valid(line):
        raise InvalidInput(field, "is not a cron line: minute, hour, day of month, month, day of week")
    expanded = croniter.expand(line)[0]
    if expanded[MONTH] == [FEBRUARY] and len(expanded[DAY]) == 1 and expanded[DAY][0] in NEVER_IN_FEBRUARY:
        raise InvalidInput(field, "names a day that never comes")
    return line
