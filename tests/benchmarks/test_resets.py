"""The benchmark of the file list beside password resets still runs."""

from benchmarks.registry import BENCHMARKS
from benchmarks.resets import FORGED, IN_FLIGHT, QUIET, REAL, UNLIMITED
from benchmarks.setting import Setting
from streamweave.settings import Settings


def test_the_file_list_is_asked_for_beside_resets_of_each_kind(setting: Setting) -> None:
    report = BENCHMARKS["resets"](setting)

    assert [goal.what for goal in report.goals] == [f"p99 beside {FORGED}", f"p99 beside {REAL}"]
    assert report.numbers[QUIET]["statuses"] == {}
    assert report.numbers[FORGED]["statuses"].keys() <= {400, 503}
    assert sum(report.numbers[FORGED]["statuses"].values()) >= IN_FLIGHT
    assert {204} <= report.numbers[REAL]["statuses"].keys() <= {204, 400, 503}
    assert sum(report.numbers[REAL]["statuses"].values()) >= IN_FLIGHT


def test_the_limits_that_it_lifts_are_those_of_the_settings() -> None:
    assert {name.removeprefix("STREAMWEAVE_").lower() for name in UNLIMITED} <= Settings.model_fields.keys()
