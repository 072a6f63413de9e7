"""A certificate over an instrument of 200,000 archived files: each copy is at its place, and is asked for.

The catalog is filled by SQL and the archives with empty spans of files, whose names, sizes and times are those of real
copies: ``python -m benchmarks.certificate FILES LOCATIONS``.
"""

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import select, text

from benchmarks.report import Report, Table, at_most
from benchmarks.rescan import FILES_PER_FOLDER, WRITTEN_AT, fill
from benchmarks.setting import Setting
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import Instrument, Scan, ScanOutcome, Schedule, StorageLocation
from streamweave.harvest.scan_record import address_of
from streamweave.preservation.certificates.issue import Issuer
from streamweave.storage.marking import mark_new_place, open_marked
from streamweave.storage.opening import open_storage
from streamweave_cli.postgres import EmbeddedPostgres

MOST_SECONDS = 30
SIZE_BYTES = 4096
NOW = WRITTEN_AT + timedelta(days=2)

FILL_TRANSFERS = """
INSERT INTO file_transfers (id, file_id, version_id, instrument_id, storage_location_id, destination_path,
    transfer_adapter, status, attempt, bytes_transferred, source_checksum, dest_checksum, checksum_verified,
    created_at, started_at, completed_at, last_verified_at)
SELECT gen_random_uuid(), f.id, f.id, f.instrument_id, storage_locations.id, 'Share/' || source_path,
    'smb', 'completed', 1, f.size_bytes, xxhash, xxhash, true,
    :archived_at, :archived_at, :archived_at, :archived_at
FROM file_records AS f JOIN file_versions AS v ON v.file_id = f.id, storage_locations
"""

OWN_TIMES = """
UPDATE file_versions SET source_mtime = source_mtime + n * interval '1 microsecond'
FROM (SELECT id, row_number() OVER () AS n FROM file_versions) AS numbered WHERE file_versions.id = numbered.id
"""
"""No two files have the same mtime, up to a part of a second that no comparison minds."""


@dataclass(frozen=True)
class Measured:
    """``seconds`` by the wall clock, ``cpu_seconds`` of the client alone, and the most memory that it ever held."""

    files: int
    copies: int
    seconds: float
    cpu_seconds: float
    peak_rss_mib: float
    verdict: str


def run(setting: Setting) -> Report:
    """Certify an instrument, with one and with two storage locations."""
    files, turns = setting.scaled(200_000), []
    for locations in (1, 2):
        setting.say(f"a certificate over {files:,} files in {locations} of the storage locations")
        turns += measure(setting.work / str(locations), files, locations, setting.rounds)
    rows, goals = [], []
    for copies in (files, 2 * files):
        mine = [turn for turn in turns if turn.copies == copies]
        seconds = median(turn.seconds for turn in mine)
        cpu = median(turn.cpu_seconds for turn in mine)
        rows.append([f"{copies:,}", f"{seconds:.1f}", f"{cpu:.1f}", f"{max(turn.peak_rss_mib for turn in mine):.0f}"])
        goals.append(at_most(f"A certificate over {files:,} files, {copies:,} copies", seconds, MOST_SECONDS, "s"))
    title = f"A certificate over {files:,} files, each copy asked for"
    return Report(
        name="certificate",
        tables=[Table(title, ["copies", "seconds", "client CPU s", "peak memory, MiB"], rows)],
        goals=goals,
        numbers={"turns": [asdict(turn) for turn in turns]},
    )


def measure(folder: Path, files: int, locations: int, rounds: int) -> list[Measured]:
    """Fill a catalog and as many archives, and certify all of it ``rounds`` times, each in a process of its own."""
    folder.mkdir(parents=True)
    with EmbeddedPostgres(folder / "postgres") as postgres:
        postgres.create_database("catalog")
        url = postgres.url("catalog")
        fill(url, files)
        archives = [folder / f"archive_{number}" for number in range(locations)]
        _archive(url, archives)
        for archive in archives:
            _lay_down(archive, files)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as child:
            return [child.submit(certify, url, files, locations).result() for _ in range(rounds)]


def _archive(url: str, archives: list[Path]) -> None:
    """Let the catalog say that all files stand in these folders, and were seen unchanged since."""
    with open_catalog(url) as engine:
        with catalog_sessions(engine).begin() as session:
            instrument = session.scalars(select(Instrument)).one()
            for archive in archives:
                location = StorageLocation(name=archive.name, base_path=str(archive), connection_config={})
                session.add(location)
                session.flush()
                session.add(
                    Schedule(
                        instrument_id=instrument.id,
                        default_storage_location_id=location.id,
                        cron_expression="0 * * * *",
                        dagster_schedule_name=archive.name,
                    )
                )
                mark_new_place(session, open_storage(location), location)
            looked = {"started_at": NOW, "covers_since": NOW, "finished_at": NOW, "address": address_of(instrument)}
            session.add(Scan(instrument_id=instrument.id, outcome=ScanOutcome.COMPLETE, **looked))
        with engine.begin() as connection:
            connection.execute(text(OWN_TIMES))
            connection.execute(text(FILL_TRANSFERS), {"archived_at": WRITTEN_AT + timedelta(days=1)})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE)"))


def _lay_down(archive: Path, files: int) -> None:
    """Files as the catalog has them, without their content: nobody reads it."""
    for number in range(files):
        folder, in_folder = divmod(number, FILES_PER_FOLDER)
        path = archive / "Share" / "share" / f"folder_{folder}" / f"scan_{in_folder}.csv"
        if in_folder == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o440)
        os.truncate(handle, SIZE_BYTES)
        mtime = (WRITTEN_AT + timedelta(seconds=in_folder)).timestamp()
        os.utime(handle, (mtime, mtime))
        os.close(handle)


def certify(url: str, files: int, locations: int) -> Measured:
    """Certify everything once, and measure this process."""
    with open_catalog(url) as engine:
        sessions, now = catalog_sessions(engine), NOW + timedelta(minutes=1)
        issuer = Issuer(sessions, partial(open_marked, sessions, open_storage), None, lambda: now)
        with issuer.sessions() as session:
            instrument = session.scalars(select(Instrument)).one()
        started, cpu = time.perf_counter(), time.process_time()
        certificate = issuer.issue(instrument, issued_to="benchmark")
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
        if certificate.verdict != "safe":
            raise RuntimeError(str(certificate.document)[:4000])
    return Measured(
        files=files,
        copies=files * locations,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_rss_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        verdict=certificate.verdict,
    )


if __name__ == "__main__":
    size, number = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as work:
        print(*map(asdict, measure(Path(work) / "run", size, number, rounds=1)), sep="\n")
