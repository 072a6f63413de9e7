"""Names from shares stand escaped in what Dagster keeps and writes."""

from datetime import date

import pytest

from streamweave.catalog.tables import VersionState
from streamweave.errors import FileVanished
from streamweave.harvest.progress import FileOutcome, HarvestReport
from streamweave_dagster.failures import TickFailed, as_failure, errors_as_red_ticks, summed_up
from streamweave_dagster.materializations import DayState, day_metadata

NAME = "scan\x1b[31m\r\u202efdp.exe"
SHOWN = r"scan\x1b[31m\r\u202efdp.exe"


def test_failures_and_ticks_are_printable() -> None:
    assert as_failure(FileVanished(NAME)).description == SHOWN
    failure = summed_up(NAME, [FileVanished(NAME)])
    assert failure is not None
    assert failure.description == f"{SHOWN}; {SHOWN}"
    with pytest.raises(TickFailed) as tick, errors_as_red_ticks():
        raise FileVanished(NAME)
    assert str(tick.value) == SHOWN


def test_a_materializations_table_is_printable() -> None:
    report, day = HarvestReport(), date(2026, 3, 2)
    report.add(FileOutcome(NAME, day, VersionState.FAILED, 1, NAME, NAME))
    (row,) = day_metadata(report, day, DayState())["table"].value.records  # type: ignore[attr-defined] # a table's
    assert [row.data[column] for column in ("path", "reason", "destination")] == [SHOWN] * 3
