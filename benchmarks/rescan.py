"""A rescan of a share that has not changed, with a million files in the catalog: seconds, CPU, and the client's memory.

The share is simulated, so that this is the catalog's side alone: ``python -m benchmarks.rescan [FILES]``.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Container, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, text

from streamweave.ark import mint
from streamweave.catalog.leases import DatabaseClock
from streamweave.catalog.schema import upgrade_schema
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import Instrument
from streamweave.errors import FileVanished
from streamweave.facility import Facility
from streamweave.garbage import reduce_gc
from streamweave.harvest.scan import discover
from streamweave.sources.base import FolderListing, OpenSourceFile, SourceFile
from streamweave.storage.opening import open_storage
from streamweave_cli.databases import ensure_database
from streamweave_cli.postgres import EmbeddedPostgres

FILES_PER_FOLDER = 200
WRITTEN_AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

FILL_RECORDS = """
INSERT INTO file_records (id, instrument_id, source_path, folder, filename, persistent_id, persistent_id_type,
    size_bytes, source_mtime, first_discovered_at, metadata_)
SELECT lpad(to_hex(n), 32, '0')::uuid, instruments.id, folder || '/' || filename, folder, filename,
    'ark:/99999/fk4' || n, 'ark', 4096, :written_at + (n % :per_folder) * interval '1 second',
    :written_at, '{}'
FROM instruments, (
    SELECT n, 'share/folder_' || n / :per_folder AS folder, 'scan_' || n % :per_folder || '.csv' AS filename
    FROM generate_series(cast(:first AS integer), cast(:last AS integer)) AS n
) AS files
"""
FILL_VERSIONS = """
INSERT INTO file_versions (id, file_id, instrument_id, number, is_newest, size_bytes, source_mtime, acquisition_day,
    xxhash, sha256, state, reason, state_since, discovered_at, unchanged_since, observed_at, failures, archived_at,
    redirected, found_by_rereading)
SELECT id, id, instrument_id, 1, true, size_bytes, source_mtime, source_mtime::date,
    'ef46db3751d8e999', md5(id::text) || md5(id::text), 'archived', '',
    first_discovered_at, first_discovered_at, first_discovered_at, first_discovered_at, 0, first_discovered_at, false,
    false
FROM file_records
WHERE id BETWEEN lpad(to_hex(cast(:first AS integer)), 32, '0')::uuid
    AND lpad(to_hex(cast(:last AS integer)), 32, '0')::uuid
"""
FILLED_AT_ONCE = 50_000


@dataclass(frozen=True)
class SimulatedShare:
    """Folders of 200 files that were all written on one day. Nothing of it exists before it is listed."""

    files: int

    def listings(self, passing_over: Container[str] = ()) -> Iterator[FolderListing]:
        """The base folder, then all others."""
        folders = [f"share/folder_{number}" for number in range(-(-self.files // FILES_PER_FOLDER))]
        yield FolderListing("share", (), folders=len(folders))
        for number, folder in enumerate(folders):
            if folder not in passing_over:
                count = min(FILES_PER_FOLDER, self.files - number * FILES_PER_FOLDER)
                yield FolderListing(folder, tuple(_file(folder, each) for each in range(count)))

    def open(self, source_path: str) -> AbstractContextManager[OpenSourceFile]:
        """No file has a content."""
        raise FileVanished(source_path)

    def has_open_writer(self, source_path: str) -> bool:
        """Nobody writes."""
        raise FileVanished(source_path)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Measured:
    """``seconds`` by the wall clock, ``cpu_seconds`` of the client alone, and the most memory that it ever held."""

    files: int
    seconds: float
    cpu_seconds: float
    peak_rss_mib: float
    new_files: int


def rescan(files: int = 1_000_000) -> Measured:
    """Fill a catalog with so many archived files, and scan their share again, in a process of its own."""
    with tempfile.TemporaryDirectory() as home, EmbeddedPostgres(Path(home) / "postgres") as postgres:
        ensure_database(postgres.url("catalog"))
        url = postgres.url("catalog")
        fill(url, files)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
            return child.submit(scan_again, url, files).result()


def fill(url: str, files: int) -> None:
    """An instrument whose files are all archived."""
    with open_catalog(url) as engine:
        upgrade_schema(engine)
        instrument = Instrument(slug="share", name="Share", cifs_host="h", cifs_share="share", archive_folder="Share")
        with catalog_sessions(engine).begin() as session:
            session.add(instrument)
        known = {"written_at": WRITTEN_AT, "per_folder": FILES_PER_FOLDER}
        for first in range(0, files, FILLED_AT_ONCE):
            span = {"first": first, "last": min(files, first + FILLED_AT_ONCE) - 1}
            with engine.begin() as connection:
                connection.execute(text(FILL_RECORDS), known | span)
                connection.execute(text(FILL_VERSIONS), span)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE) file_records, file_versions"))


def scan_again(url: str, files: int) -> Measured:
    """Look at the share once, and measure this process."""
    reduce_gc()
    with open_catalog(url) as engine:
        facility = Facility(
            sessions=catalog_sessions(engine),
            open_source=lambda instrument: SimulatedShare(files),  # type: ignore[arg-type,return-value] # is only listed
            open_storage=open_storage,
            mint_identifier=lambda: mint("99999", "fk4"),
            now=DatabaseClock(catalog_sessions(engine)),
        )
        with facility.sessions() as session:
            instrument = session.scalars(select(Instrument)).one()
        started, cpu = time.perf_counter(), time.process_time()
        sighting = discover(facility, instrument)
        return Measured(
            files=sighting.files,
            seconds=time.perf_counter() - started,
            cpu_seconds=time.process_time() - cpu,
            peak_rss_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            new_files=sighting.new_files,
        )


def _file(folder: str, number: int) -> SourceFile:
    return SourceFile(f"{folder}/scan_{number}.csv", 4096, WRITTEN_AT + timedelta(seconds=number))


if __name__ == "__main__":
    print(asdict(rescan(*map(int, sys.argv[1:]))))
