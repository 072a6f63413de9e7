"""An archive of some files, and what can be done to it.

An archive of three files whose first copy is damaged, as a sweep found and concluded it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from streamweave.catalog.tables import FixityCheck, FixityHold, StorageLocation, Transfer, User
from streamweave.errors import StorageUnavailable
from streamweave.preservation.damage import release
from streamweave.preservation.repair import RepairReport, repair_copies
from streamweave.preservation.report import SweepReport
from streamweave.preservation.sweep import sweep_tonight
from streamweave.storage.posix import PosixStorage

FILES = 8
CONTENT = b"0123456789"


@dataclass
class Archive:
    """The bench's archive of eight files of ten bytes, ``microscope/0.csv`` and so on."""

    bench: Any

    def sweep(self, **wait: float) -> SweepReport:
        """One night's sweep; a minute later unless told otherwise."""
        self.bench.clock.time += timedelta(**(wait or {"minutes": 1}))
        return sweep_tonight(self.bench.facility, self.bench.location)

    def copy_of(self, number: int) -> Path:
        """A copy that we may change."""
        path: Path = self.bench.archive / "Microscope 01" / "microscope" / f"{number}.csv"
        path.chmod(0o644)
        return path

    def damage(self, *numbers: int) -> None:
        """Change a byte of some copies."""
        for number in numbers:
            self.copy_of(number).write_bytes(b"0123456780")

    def transfer(self, number: int) -> Transfer:
        """The first transfer of a file."""
        return self.bench.transfers(f"microscope/{number}.csv")[0]

    def damaged(self) -> dict[str, str]:
        """The copies that are known to be damaged, and the status of their transfers."""
        with self.bench.facility.sessions() as session:
            rows = session.scalars(select(Transfer).where(Transfer.damage.is_not(None)))
            return {str(row.destination_path).rpartition("/")[2]: row.status for row in rows}

    def checks(self) -> list[tuple[str, str | None]]:
        """Outcome and finding of every re-reading on record."""
        with self.bench.facility.sessions() as session:
            rows = session.scalars(select(FixityCheck).order_by(FixityCheck.checked_at, FixityCheck.id))
            return [(row.outcome, row.found) for row in rows]

    def holds(self) -> list[FixityHold]:
        with self.bench.facility.sessions() as session:
            return list(session.scalars(select(FixityHold).order_by(FixityHold.held_at)))

    def release(self) -> None:
        """A person has looked."""
        self.bench.clock.time += timedelta(minutes=1)
        person = self.bench.add(User(email="a@test.org", password_hash="none"))
        with self.bench.facility.sessions.begin() as session:
            release(session, person, self.holds()[-1].id, self.bench.clock.time)


@pytest.fixture
def archive(bench: Any) -> Archive:
    """A fresh archive."""
    for number in range(FILES):
        bench.write(f"microscope/{number}.csv", CONTENT)
    bench.harvest()
    return Archive(bench)


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of files that the device gives no more: each reading of them ends with an I/O error."""
    names: set[str] = set()
    read = PosixStorage.read

    def fail_for_some(storage: PosixStorage, path: str, *span: Any, **how: Any) -> Iterator[bytes]:
        pieces = read(storage, path, *span, **how)
        if "*" in names or path.rpartition("/")[2] in names:
            pieces = _broken(storage.address(path))
        return pieces

    monkeypatch.setattr(PosixStorage, "read", fail_for_some)
    return names


def _broken(address: str) -> Iterator[bytes]:
    raise StorageUnavailable(f"{address}: Input/output error")
    yield b""


PATH = "microscope/a.csv"
MEASURED = b"time,value\n0,1.0\n"
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
    bench.write(PATH, MEASURED)
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
