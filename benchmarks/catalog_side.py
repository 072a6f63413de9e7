"""The catalog's benchmarks in the words of all others: a rescan that finds nothing, and everything that is asked."""

from dataclasses import asdict
from statistics import median

from benchmarks import rescan
from benchmarks.catalog import benchmark as catalog
from benchmarks.catalog.report import verdicts
from benchmarks.report import Goal, Report, Table, Verdict, at_most
from benchmarks.setting import Setting

MOST_RESCAN_SECONDS = 15
MOST_RESCAN_MIB = 400
SMALL, LARGE = 10_000, 1_000_000
FEWEST_FILES, FEWEST_REQUESTS = 300, 20


def run_rescan(setting: Setting) -> Report:
    """Look again at a million files that have not changed."""
    files = setting.scaled(1_000_000)
    turns = []
    for number in range(setting.rounds):
        setting.say(f"rescan of {files:,} files, round {number + 1} of {setting.rounds}")
        turns.append(rescan.rescan(files))
    seconds, peak = median(turn.seconds for turn in turns), max(turn.peak_rss_mib for turn in turns)
    cpu_seconds = median(turn.cpu_seconds for turn in turns)
    title = f"A rescan of {files:,} unchanged files"
    row = [f"{files:,}", f"{seconds:,.2f}", f"{cpu_seconds:,.2f}", f"{peak:,.0f}"]
    return Report(
        name="rescan",
        tables=[Table(title, ["files", "seconds", "client CPU s", "peak memory, MiB"], [row])],
        goals=[at_most(title, seconds, MOST_RESCAN_SECONDS, "s"), at_most(title, peak, MOST_RESCAN_MIB, "MiB")],
        numbers={"turns": [asdict(turn) for turn in turns]},
    )


def run_catalog(setting: Setting) -> Report:
    """Ask a small catalog and one of a million files over HTTP."""
    sizes = [max(FEWEST_FILES, setting.scaled(size)) for size in (SMALL, LARGE)]
    small, large = catalog.run(
        sizes, catalog.Wishes(max(FEWEST_REQUESTS, setting.scaled(200)), setting.scaled(10 << 30)), setting.say
    )
    columns = ["", f"p50 ms of {small.files:,}", "p99", f"p50 ms of {large.files:,}", "p99", "requests/s"]
    rows = []
    for name, times in large.times.items():
        both = [f"{ms:.1f}" for one in (small, large) for ms in (one.times[name].p50, one.times[name].p99)]
        rows.append([name, *both, f"{times.per_second:,.0f}"])
    goals = [
        Goal(each.goal, "", each.measured, Verdict.MET if each.met else Verdict.MISSED)
        for each in verdicts(small, large)
    ]
    return Report(
        "catalog", [Table("One client", columns, rows)], goals, numbers={"sizes": [asdict(small), asdict(large)]}
    )
