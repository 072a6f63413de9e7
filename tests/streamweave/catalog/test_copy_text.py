"""What is written for COPY arrives as it was."""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from streamweave.catalog.bulk import PIECE_LINES, copy_text, text_of

COLUMNS = "a text, b uuid, c timestamptz, d date, e bigint, f double precision, g boolean"


class Colour(StrEnum):
    """Some states."""

    RED = "red"


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
TIMES = st.timedeltas(timedelta(days=1), timedelta(days=3_000_000)).map(datetime(1, 1, 1, tzinfo=UTC).__add__)
ROWS = st.lists(
    st.tuples(
        *(
            st.none() | values
            for values in (
                TEXTS | st.sampled_from(["\\N", "\\", "a\tb", "\n", "\\.", Colour.RED]),
                st.uuids(),
                TIMES,
                st.dates(min_value=date(1, 1, 2)),
                st.integers(-(2**63), 2**63 - 1),
                st.floats(allow_nan=False),
                st.booleans(),
            )
        )
    ),
    max_size=10,
)


def copied(engine: Engine, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The rows as PostgreSQL has them afterwards, in order."""
    with engine.connect() as connection:
        plain: Any = connection.connection.driver_connection
        with plain.transaction(force_rollback=True), plain.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE written ({COLUMNS}, place serial)")
            with cursor.copy("COPY written (a, b, c, d, e, f, g) FROM STDIN") as copy:
                for lines in copy_text(rows):
                    copy.write(lines)
            cursor.execute("SELECT a, b, c, d, e, f, g FROM written ORDER BY place")
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found


@given(ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_arrive_as_they_were(engine: Engine, rows: list[tuple[Any, ...]]) -> None:
    assert copied(engine, rows) == rows


def test_many_rows_arrive_in_order_whether_their_values_repeat_or_not(engine: Engine) -> None:
    now, same = datetime.now(UTC), uuid.uuid4()
    rows = [("same", same, now, None, number, number % 3 / 2, number % 2 == 0) for number in range(2 * PIECE_LINES + 1)]
    assert copied(engine, rows) == rows


def test_an_equal_value_of_another_type_is_written_as_what_it_is() -> None:
    assert "".join(copy_text([(1,), (True,), (1.0,)])) == "1\nt\n1.0\n"


def test_a_value_of_an_unknown_type_is_refused_rather_than_guessed() -> None:
    with pytest.raises(TypeError, match="COPY of a dict"):
        text_of({"a": 1})
