"""An archive of three files whose first copy is damaged, as a sweep found and concluded it."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamweave.catalog.tables import StorageLocation, Transfer
from streamweave.fixity.sweeping import sweep_tonight
from streamweave.repairs.repairing import RepairReport, repair_copies

PATH = "microscope/a.csv"
CONTENT = b"time,value\n0,1.0\n"
DAMAGED = b"time,value\n0,1.1\n"
EVIDENCE = "Microscope 01/microscope/a.csv"
REPAIRED = "Microscope 01/microscope/a~v1r1.csv"


@dataclass
class DamagedArchive:
    """The bench, and what tests do to what it archived."""

    bench: Any

    def damage(self, root: Path | None = None, path: str = EVIDENCE) -> None:
        """Change a byte of a copy."""
        copy = (root or self.bench.archive) / path
        copy.chmod(0o644)
        copy.write_bytes(DAMAGED)

    def sweep(self, location: StorageLocation | None = None) -> None:
        self.bench.clock.time += timedelta(minutes=1)
        sweep_tonight(self.bench.facility, location or self.bench.location)

    def repair(self) -> RepairReport:
        return repair_copies(self.bench.facility, self.bench.instrument)

    def statuses(self) -> list[str]:
        """Of the file's transfers, in order."""
        return [transfer.status for transfer in self.bench.transfers(PATH)]

    def last(self) -> Transfer:
        transfer: Transfer = self.bench.transfers(PATH)[-1]
        return transfer


@pytest.fixture
def archived(bench: Any) -> DamagedArchive:
    """Everything is still intact."""
    bench.write(PATH, CONTENT)
    bench.write("microscope/b.csv", b"b")
    bench.write("microscope/c.csv", b"c")
    bench.harvest()
    return DamagedArchive(bench)


@pytest.fixture
def damaged(archived: DamagedArchive) -> DamagedArchive:
    """One copy is known to be damaged."""
    archived.damage()
    archived.sweep()
    assert archived.statuses() == ["damaged"]
    return archived
