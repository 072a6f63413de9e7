"""A catalog is rebuilt from journals alone, and held against the one that was lost.

``python -m benchmarks.rebuild --files 20000`` harvests so many small files from a share in memory into a folder,
forgets the catalog, rebuilds it, and says how long each took, which share of the harvest the journal was, and whether
both catalogs agree in paths, versions, identifiers and hashes. It exits with 1 if they don't.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from fakes.memory_source import Laboratory
from streamweave import ark
from streamweave.catalog.schema import upgrade_schema
from streamweave.catalog.session import Sessions, catalog_sessions, open_catalog
from streamweave.catalog.tables import Instrument, Schedule, StorageLocation
from streamweave.catalog.tables.base import uuid7
from streamweave.facility import Facility
from streamweave.garbage import reduce_gc
from streamweave.harvest.run import harvest
from streamweave.journal.keeping import JournalKeeper
from streamweave.journal.rebuilding import rebuild
from streamweave.storage.marking import mark_new_place
from streamweave.storage.opening import open_storage
from streamweave_cli.databases import ensure_database
from streamweave_cli.postgres import EmbeddedPostgres

DIFFERENT = 1
PROOFS = text(
    "SELECT r.source_path, r.persistent_id, v.number, v.size_bytes, v.source_mtime, v.xxhash, v.sha256, "
    "t.destination_path FROM file_records r JOIN file_versions v ON v.file_id = r.id "
    "JOIN file_transfers t ON t.version_id = v.id WHERE t.status = 'completed' ORDER BY 1, 3"
)


@dataclass
class Clock:
    """Ours; waiting takes no time."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        """Its time, in UTC."""
        return datetime.now(UTC) + self.ahead

    def wait(self, seconds: float) -> None:
        """Move it on."""
        self.ahead += timedelta(seconds=seconds)


def main() -> None:
    """Measure and compare."""
    reduce_gc()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    files: int = parser.parse_args().files
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
        _catalog(postgres, "old") as old,
        _catalog(postgres, "new") as new,
    ):
        facility = _facility(old, files)
        location = _entered(old, Path(folder) / "archive")
        in_journals = _measured_notes()
        harvested = _timed(lambda: harvest(facility, _instrument(old)))
        place = StorageLocation(name="", type="posix", base_path=location.base_path, connection_config={})
        rebuilt = _timed(lambda: rebuild(replace(facility, sessions=new), [place]))
        before, after = (_proofs(each) for each in (old, new))
    print(f"harvested {len(before)} files in {harvested:.1f} s, of it {in_journals[0] / harvested:.2%} in journals")
    print(f"rebuilt in {rebuilt:.1f} s: {'equal' if before == after else 'DIFFERENT'}")
    if before != after or len(before) != files:
        sys.exit(DIFFERENT)


def _measured_notes() -> list[float]:
    """Seconds spent in noting, so far."""
    spent, note = [0.0], JournalKeeper.note

    def measured(self: JournalKeeper, *arguments: Any) -> None:
        begun = time.perf_counter()
        note(self, *arguments)
        spent[0] += time.perf_counter() - begun

    JournalKeeper.note = measured  # type: ignore[method-assign, assignment]  # measured from outside
    return spent


def _timed(what: Any) -> float:
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


@contextmanager
def _catalog(postgres: EmbeddedPostgres, name: str) -> Iterator[Sessions]:
    ensure_database(postgres.url(name))
    with open_catalog(postgres.url(name)) as engine:
        upgrade_schema(engine)
    with open_catalog(postgres.url(name)) as engine:
        yield catalog_sessions(engine)


def _facility(sessions: Sessions, files: int) -> Facility:
    laboratory, clock = Laboratory(share="share"), Clock()
    for number in range(files):
        path = f"share/folder {number // 500}/file {number}.dat"
        laboratory.write(path, f"{number:08}".encode() * 512, datetime(2026, 3, 2, tzinfo=UTC))
    return Facility(
        sessions=sessions,
        open_source=lambda instrument: laboratory.source(),
        open_storage=open_storage,
        mint_identifier=lambda: ark.mint("99999", "fk4"),
        now=clock.now,
        wait=clock.wait,
    )


def _entered(sessions: Sessions, archive: Path) -> StorageLocation:
    location = StorageLocation(id=uuid7(), name="archive", type="posix", base_path=str(archive), connection_config={})
    instrument = Instrument(
        slug="instrument", name="Instrument", archive_folder="Instrument", cifs_host="i", cifs_share="share"
    )
    with sessions.begin() as session:
        mark_new_place(session, open_storage(location), location)
        session.add_all([location, instrument])
        session.flush()
        names = {"cron_expression": "0 3 * * *", "dagster_schedule_name": "harvest_instrument"}
        session.add(Schedule(instrument_id=instrument.id, default_storage_location_id=location.id, **names))
    return location


def _instrument(sessions: Sessions) -> Instrument:
    with sessions() as session:
        return session.query(Instrument).one()


def _proofs(sessions: Sessions) -> list[Any]:
    with sessions() as session:
        return [tuple(row) for row in session.execute(PROOFS)]


if __name__ == "__main__":
    main()
