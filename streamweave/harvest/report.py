"""What a harvest did, day by day: complete counts, and the first files of each day by name."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from streamweave.catalog.tables import VersionState
from streamweave.errors import StreamWeaveError

NAMED_FILES_PER_DAY = 1_000
"""More files are counted but not named: a report has to fit into a page and into memory."""


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file. ``destination`` is where its bytes are now, if they were archived."""

    source_path: str
    day: date
    state: VersionState
    size_bytes: int
    reason: str = ""
    destination: str = ""


@dataclass(slots=True)
class DayReport:
    """One acquisition day. ``bytes`` counts what was archived."""

    counts: Counter[VersionState] = field(default_factory=Counter)
    bytes: int = 0
    files: list[FileOutcome] = field(default_factory=list)

    def add(self, outcome: FileOutcome) -> None:
        """Count a file, and name it while there is room."""
        self.counts[outcome.state] += 1
        if outcome.state == VersionState.ARCHIVED:
            self.bytes += outcome.size_bytes
        if len(self.files) < NAMED_FILES_PER_DAY:
            self.files.append(outcome)


@dataclass(slots=True)
class HarvestReport:
    """What a harvest did. ``seconds`` is how long its transfers took."""

    days: dict[date, DayReport] = field(default_factory=dict)
    seconds: float = 0.0
    troubles: list[StreamWeaveError] = field(default_factory=list)
    """What stopped the harvest as a whole, or kept it from a storage location."""
    pause: str = ""
    """Why the harvest ended before everything was done though nothing is wrong, and when it resumes."""

    def add(self, outcome: FileOutcome) -> None:
        """Count a file under its acquisition day."""
        if outcome.day not in self.days:
            self.days[outcome.day] = DayReport()
        self.days[outcome.day].add(outcome)

    def include(self, other: "HarvestReport") -> None:
        """Add what a further step of the same harvest did."""
        self.seconds += other.seconds
        self.troubles += other.troubles
        self.pause = self.pause or other.pause
        for day, report in other.days.items():
            mine = self.days.setdefault(day, DayReport())
            mine.counts += report.counts
            mine.bytes += report.bytes
            mine.files += report.files[: NAMED_FILES_PER_DAY - len(mine.files)]

    @property
    def counts(self) -> Counter[VersionState]:
        """Files by what became of them, over all days."""
        return sum((report.counts for report in self.days.values()), Counter())

    @property
    def bytes(self) -> int:
        """What was archived, over all days."""
        return sum(report.bytes for report in self.days.values())

    def sentence(self) -> str:
        """The outcome, for people."""
        if not self.days:
            return "nothing to do"
        return ", ".join(f"{number} {state}" for state, number in sorted(self.counts.items()))
