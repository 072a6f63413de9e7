import pytest
from dagster._utils.schedules import is_valid_cron_schedule
from hypothesis import given
from hypothesis import strategies as st

from streamweave.errors import InvalidInput
from streamweave.instruments.schedules import cron_expression

FIELD = st.sampled_from(
    [
        "*",
        "0",
        "5",
        "2",
        "31",
        "30",
        "29",
        "7",
        "60",
        "*/15",
        "1-5",
        "1,3",
        "MON",
        "feb",
        "L",
        "?",
        "H",
        "R",
        "2#1",
        "@daily",
        "x",
    ]
)


def accepted(line: str) -> bool:
    try:
        return cron_expression("cron_expression", line) == line
    except InvalidInput:
        return False


@pytest.mark.parametrize("line", ["*/15 * * * *", "0 */6 * * *", "0 0 1 jan mon-fri", "59 23 29 2 *", "0 0 * * 0"])
def test_cron_lines_are_accepted(line: str) -> None:
    assert accepted(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "* * * *",
        "* * * * * *",
        "@reboot",
        "@daily",
        "60 * * * *",
        "0 24 * * *",
        "0 0 30 2 *",
        "a b c d e",
        "*\n* * * *",
    ],
)
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(InvalidInput, match="cron_expression"):
        cron_expression("cron_expression", line)


@given(st.lists(FIELD, min_size=4, max_size=7).map(" ".join))
def test_dagster_takes_every_line_that_we_take(line: str) -> None:
    if accepted(line):
        assert is_valid_cron_schedule(line)
    elif is_valid_cron_schedule(line):
        assert len(line.split()) != 5 or not line.isprintable() or "R" in line.upper()  # R stands for a random value
