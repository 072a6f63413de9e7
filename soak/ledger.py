"""What experiments hand back: every run with what it broke, and the tables that come of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from soak.evidence import Evidence
from soak.orders import End
from soak.proof import RULES, Breaches, breaches_in

NOT_REACHED = "not reached"
NO_RECOVERY = "no recovery"
FALSE_CERTIFICATES = "false certificates"
COLUMNS = (*RULES, FALSE_CERTIFICATES, NO_RECOVERY)


@dataclass(frozen=True)
class Run:
    """One run. ``row`` is the table's, ``again`` how to repeat it, ``cut_short`` how many of its harvests were."""

    row: str
    again: str
    cut_short: int
    breaches: Breaches
    reported: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether nothing was broken."""
        return not any(self.breaches.values())

    def with_breaches(self, rule: str, more: Sequence[str]) -> "Run":
        """The same run, with what else was found against a rule."""
        return replace(self, breaches={**self.breaches, rule: (*self.breaches.get(rule, ()), *more)})


@dataclass(frozen=True)
class Table:
    """Cells as they are shown; the first column names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Ledger:
    """All runs of one experiment. ``notes`` say what was done how, and what was left out and why."""

    title: str
    what: str
    runs: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shows_reports: bool = False
    """Whether the table has a column for what the runs reported."""

    @property
    def is_sound(self) -> bool:
        """Whether there were runs, and nothing was broken in any."""
        return bool(self.runs) and all(run.is_sound for run in self.runs)

    def table(self) -> Table:
        """A row for each thing that was done, with counts."""
        rows: dict[str, list[Run]] = {}
        for run in self.runs:
            rows.setdefault(run.row, []).append(run)
        cells = [
            [name, *_counted(runs), *([runs[-1].reported] if self.shows_reports else [])] for name, runs in rows.items()
        ]
        if len(rows) > 1:
            cells.append(["all", *_counted(self.runs), *([""] if self.shows_reports else [])])
        return Table(
            self.title, [self.what, "runs", "cut short", *COLUMNS, *(["reported"] if self.shows_reports else [])], cells
        )


def judged(row: str, again: str, ends: Sequence[End], recovery: End, evidence: Evidence, reported: str = "") -> Run:
    """The run in which harvests had these ends, and the last one, left alone, that one."""
    breaches = dict(breaches_in(evidence))
    badly = [] if recovery.ended_well else [f"the last harvest: {recovery.said or recovery}"]
    breaches[NO_RECOVERY] = (*badly, *("a harvest hung" for end in ends if end.hung))
    return Run(row, again, sum(not end.ended_well for end in ends), breaches, reported)


def _counted(runs: Sequence[Run]) -> list[str]:
    def broken(rule: str) -> int:
        return sum(len(run.breaches.get(rule, ())) for run in runs)

    return [str(len(runs)), str(sum(run.cut_short for run in runs)), *(str(broken(rule)) for rule in COLUMNS)]


def problems(ledger: Ledger) -> list[str]:
    """Every breach in words, with the way to repeat its run."""
    return [
        f"{run.row} [{run.again}] {rule}: {breach}"
        for run in ledger.runs
        for rule, breaches in run.breaches.items()
        for breach in breaches
    ]
