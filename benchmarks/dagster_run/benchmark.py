"""Both ways in turns, and what comes out of it."""

from statistics import median

from benchmarks.contest import Results, Turn, hold
from benchmarks.dagster_run.contestants import CORE, DAGSTER, Entry
from benchmarks.dagster_run.timeline import MARKS
from benchmarks.data import Dataset
from benchmarks.report import Report, Table, at_most
from benchmarks.setting import Setting
from benchmarks.site import build

FILE_BYTES = 4096
MOST_SECONDS_LONGER = 2.0


def run(setting: Setting) -> Report:
    """Harvest 2,000 files of 4 KiB both ways. Raises ``BenchmarkFailed`` when a harvest does not succeed."""
    files = setting.scaled(2_000)
    dataset = Dataset("small", f"{files:,} files of 4 KiB", setting.work / "share", files, FILE_BYTES)
    build(setting, [dataset])
    setting.say("starting the system")
    with Entry.ready(setting, dataset) as entry:
        results = hold(setting, dataset.title, dataset.folder, entry.contestants(), written=dataset.files)
    longer = results.median(DAGSTER, _seconds) - results.median(CORE, _seconds)
    title = f"{dataset.title}, from start event to end"
    return Report(
        name="dagster",
        tables=[_harvests(title, results), _launch(results)],
        goals=[at_most(title, longer, MOST_SECONDS_LONGER, "s longer than through the core")],
        numbers=results.as_numbers(),
    )


def _seconds(turn: Turn) -> float:
    return turn.seconds


def _harvests(title: str, results: Results) -> Table:
    rows = [
        [
            name,
            f"{results.median(name, _seconds):,.2f}",
            f"{results.median(name, lambda turn: turn.files_per_second):,.0f}",
        ]
        for name in results.turns
    ]
    return Table(title, ["", "seconds", "files/s"], rows)


def _launch(results: Results) -> Table:
    parts = [median(turn.details[part] for turn in results.turns[DAGSTER]) for part in MARKS]
    whole = results.median(DAGSTER, lambda turn: sum(turn.details.values()))
    rows = [[part, f"{seconds:,.2f}"] for part, seconds in zip([*MARKS, "all of it"], [*parts, whole], strict=True)]
    return Table("From launch to start event", ["", "seconds"], rows)
