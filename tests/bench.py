"""A facility of one instrument: a share in memory, a real catalog, a real folder as archive, a clock that we move."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import Engine

from fakes.memory_source import Laboratory
from streamweave.catalog.session import Sessions, catalog_engine, catalog_sessions
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    Hook,
    Instrument,
    Schedule,
    StorageLocation,
    StorageType,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.base import uuid7
from streamweave.facility import Facility
from streamweave.harvest.progress import HarvestReport
from streamweave.harvest.run import harvest
from streamweave.harvest.transfer import Listener
from streamweave.storage.base import Storage
from streamweave.storage.marking import mark_new_place
from streamweave.storage.opening import open_storage
from streamweave_cli.postgres import EmbeddedPostgres


@dataclass
class Clock:
    """A clock that stands still until it is moved; waiting moves it."""

    time: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    while_waiting: list[Callable[[], None]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> None:
        while self.while_waiting:
            self.while_waiting.pop()()
        self.time += timedelta(seconds=seconds)


@dataclass
class Bench:
    """One instrument on the bench, and what a test asks of its facility."""

    facility: Facility
    instrument: Instrument
    laboratory: Laboratory
    clock: Clock
    archive: Path
    location: StorageLocation | None = None

    def write(self, path: str, content: bytes = b"time,value\n0,1.0\n1,2.0\n") -> None:
        """Let the instrument write a file, an hour before our clock's time."""
        self.laboratory.write(path, content, self.clock.time - timedelta(hours=1))

    def harvest(self) -> HarvestReport:
        return harvest(self.facility, self.instrument)

    def harvest_and_tell(self, on_outcomes: Listener) -> HarvestReport:
        """Harvest, with somebody who hears of each batch."""
        return harvest(self.facility, self.instrument, on_outcomes=on_outcomes)

    def states(self) -> dict[str, VersionState]:
        """The state of each file's newest version."""
        with self.facility.sessions() as session:
            rows = session.execute(
                select(FileRecord.source_path, FileVersion.state)
                .join(FileVersion, FileVersion.file_id == FileRecord.id)
                .where(FileVersion.is_newest)
            )
            return {path: VersionState(state) for path, state in rows}

    def version(self, path: str) -> FileVersion:
        """The newest version of a file."""
        with self.facility.sessions() as session:
            return session.scalars(
                select(FileVersion).join(FileRecord).where(FileRecord.source_path == path, FileVersion.is_newest)
            ).one()

    def record(self, path: str) -> FileRecord:
        with self.facility.sessions() as session:
            return session.scalars(select(FileRecord).where(FileRecord.source_path == path)).one()

    def transfers(self, path: str) -> list[Transfer]:
        with self.facility.sessions() as session:
            return list(
                session.scalars(
                    select(Transfer)
                    .join(FileRecord, FileRecord.id == Transfer.file_id)
                    .where(FileRecord.source_path == path)
                    .order_by(Transfer.created_at, Transfer.attempt)
                )
            )

    def proofs(self) -> set[tuple[Any, ...]]:
        """What the catalog says of every archived copy: identifiers, ids, paths, versions, sizes, times and hashes."""
        file = (FileRecord.source_path, FileRecord.persistent_id, FileRecord.id)
        version = (FileVersion.id, FileVersion.number, FileVersion.size_bytes, FileVersion.source_mtime)
        more = (FileVersion.acquisition_day, FileVersion.xxhash, FileVersion.sha256, Transfer.id)
        copy = (Transfer.storage_location_id, Transfer.destination_path, Transfer.completed_at)
        with self.facility.sessions() as session:
            rows = session.execute(
                select(*file, *version, *more, *copy, Transfer.bytes_transferred)
                .join(FileVersion, FileVersion.file_id == FileRecord.id)
                .join(Transfer, Transfer.version_id == FileVersion.id)
                .where(Transfer.status == TransferStatus.COMPLETED)
            )
            return {tuple(row) for row in rows}

    def add(self, row: Any) -> Any:
        """Put a row into the catalog."""
        with self.facility.sessions.begin() as session:
            session.add(row)
        return row

    def change(self, row: Any, **values: Any) -> None:
        """Change a row in the catalog."""
        with self.facility.sessions.begin() as session:
            stored = session.get_one(type(row), row.id)
            for name, value in values.items():
                setattr(stored, name, value)
                setattr(row, name, value)

    def add_hook(self, name: str, trigger: str, **config: Any) -> Hook:
        return self.add(
            Hook(name=name, trigger=trigger, builtin_name=name, config=config, instrument_id=self.instrument.id)
        )

    def add_location(self, name: str, base_path: Path, *, scheduled: bool = True) -> StorageLocation:
        location = StorageLocation(
            id=uuid7(), name=name, type=StorageType.POSIX, base_path=str(base_path), connection_config={}
        )
        with self.facility.sessions.begin() as session:
            mark_new_place(session, open_storage(location), location)
            session.add(location)
        if scheduled:
            self.add(
                Schedule(
                    instrument_id=self.instrument.id,
                    default_storage_location_id=location.id,
                    cron_expression="*/15 * * * *",
                    dagster_schedule_name=f"harvest_{name}",
                )
            )
        return location

    def archived(self, root: Path | None = None) -> dict[str, bytes]:
        """Every published file below an archive's root."""
        root = root or self.archive
        files = [path for path in root.rglob("*") if path.is_file() and ".streamweave" not in path.parts]
        return {str(path.relative_to(root)): path.read_bytes() for path in files}

    def staged(self, root: Path | None = None) -> list[Path]:
        """Every temporary file below an archive's root."""
        return list((root or self.archive).rglob("*.part"))

    def with_facility(self, **changes: Any) -> "Bench":
        """The same bench, with a part of its facility exchanged."""
        return replace(self, facility=replace(self.facility, **changes))


def publish_one(storage: Storage, staged_name: str, path: str) -> None:
    """Give one staged file its final name. Raises what went wrong."""
    for error in storage.publish_many({staged_name: path}).values():
        raise error


@pytest.fixture
def bench(sessions: Sessions, tmp_path: Path) -> Bench:
    laboratory = Laboratory(share="microscope")
    clock = Clock()
    numbers = itertools.count(1)
    facility = Facility(
        sessions=sessions,
        open_source=lambda instrument: laboratory.source(),
        open_storage=open_storage,
        mint_identifier=lambda: f"ark:/99999/fk4test{next(numbers)}",
        now=clock.now,
        wait=clock.wait,
    )
    instrument = Instrument(
        slug="microscope_01",
        name="Microscope 01",
        cifs_host="microscope-01",
        cifs_share="microscope",
        archive_folder="Microscope 01",
        quiet_period_seconds=5,
    )
    with sessions.begin() as session:
        session.add(instrument)
    bench = Bench(facility, instrument, laboratory, clock, tmp_path / "archive")
    bench.location = bench.add_location("archive", bench.archive)
    return bench


@pytest.fixture
def copy_catalog(postgres: EmbeddedPostgres) -> Iterator[Callable[[str], Sessions]]:
    """Makes a catalog that is a copy of the database of that name, which nobody may be connected to."""
    admin = catalog_engine(postgres.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with ExitStack() as stack:
        stack.callback(admin.dispose)

        def execute(statement: str) -> None:
            with admin.connect() as connection:
                connection.execute(text(statement))

        def copied(template: str) -> Sessions:
            name = f"copy_{uuid.uuid4().hex}"
            execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            stack.callback(execute, f"DROP DATABASE {name} WITH (FORCE)")
            copy = catalog_engine(postgres.url(name))
            stack.callback(copy.dispose)
            return catalog_sessions(copy)

        yield copied


@pytest.fixture
def back_up(engine: Engine, copy_catalog: Callable[[str], Sessions]) -> Callable[[Bench], Callable[[], Bench]]:
    """Copies the catalog of a bench; what it returns gives the bench with its catalog as it was then."""

    def copied(bench: Bench) -> Callable[[], Bench]:
        engine.dispose()
        sessions = copy_catalog(str(engine.url.database))
        return lambda: bench.with_facility(sessions=sessions)

    return copied


@pytest.fixture
def new_catalog(template_database: str, copy_catalog: Callable[[str], Sessions]) -> Sessions:
    """An empty catalog beside that of the bench."""
    return copy_catalog(template_database)
