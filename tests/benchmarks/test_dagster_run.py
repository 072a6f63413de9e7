"""The run through Dagster with hardly any data: whether it still runs, not how fast."""

from benchmarks.dagster_run.benchmark import run
from benchmarks.dagster_run.contestants import CORE, DAGSTER
from benchmarks.dagster_run.timeline import MARKS
from benchmarks.setting import Setting


def test_both_ways_bring_every_file_and_a_launch_has_its_parts(setting: Setting) -> None:
    report = run(setting)
    assert [turn["files"] for turn in [*report.numbers[CORE], *report.numbers[DAGSTER]]] == [2, 2]
    (turn,) = report.numbers[DAGSTER]
    assert list(turn["details"]) == list(MARKS)
    assert all(seconds >= 0 for seconds in turn["details"].values())
