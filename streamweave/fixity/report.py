"""What a sweep over one storage location did, for a person."""

from collections import Counter
from dataclasses import dataclass, field

from streamweave.catalog.tables import FixityOutcome
from streamweave.errors import StorageError
from streamweave.fixity.quota import work_of
from streamweave.fixity.rereading import Finding
from streamweave.storage.base import Storage

NAMED_COPIES = 1_000
"""More damaged copies than this are counted but not named."""


@dataclass(frozen=True, slots=True)
class Damage:
    """An archived copy that is not what it was. ``address`` is where it is, or should be."""

    source_path: str
    address: str
    outcome: FixityOutcome
    found: str


@dataclass(slots=True)
class SweepReport:
    """What was re-read in one storage location.

    ``trouble`` is why the location could not be read any more: nothing is known about the bytes there. ``held`` says
    why nothing is concluded from what was found, ``missed`` that not everything is re-read as often as it should be.
    """

    location: str
    counts: Counter[FixityOutcome] = field(default_factory=Counter)
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)
    trouble: StorageError | None = None
    held: str = ""
    missed: str = ""

    def add(self, finding: Finding, storage: Storage) -> None:
        """Count what was found of a copy, and name it if it is damaged, while there is room."""
        copy = finding.copy
        self.counts[finding.outcome] += 1
        self.bytes += copy.size_bytes
        if finding.found is not None and len(self.damaged) < NAMED_COPIES:
            address = storage.address(copy.destination_path)
            self.damaged.append(Damage(copy.source_path, address, finding.outcome, finding.found))

    @property
    def work(self) -> int:
        """How much it was, as a quota counts it."""
        return work_of(self.files, self.bytes)

    @property
    def files(self) -> int:
        """How many copies were re-read."""
        return self.counts.total()

    @property
    def damaged_files(self) -> int:
        """How many of them are damaged, missing or unreadable."""
        return self.files - self.counts[FixityOutcome.INTACT]

    def warnings(self) -> str:
        """What went wrong with the sweep itself; empty if nothing did."""
        return "; ".join(filter(None, [str(self.trouble or ""), self.held, self.missed]))

    def sentence(self) -> str:
        """The outcome for a person."""
        told = f"{self.location}: {self.files} files ({self.bytes} bytes) re-read, {self.damaged_files} damaged"
        return "; ".join(filter(None, [told, self.warnings()]))
