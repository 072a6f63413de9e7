"""A facility of one instrument: a share in memory, a real catalog, real folders as archives, a clock that we move."""

import itertools
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fakes.memory_source import Laboratory
from streamweave import ark
from streamweave.catalog.leases import harvest_run
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    FileRecord,
    Instrument,
    ScanOutcome,
    Schedule,
    StorageLocation,
    StorageType,
    Transfer,
)
from streamweave.facility import Facility
from streamweave.harvest import run, scan
from streamweave.harvest.plan import filter_files
from streamweave.harvest.run import harvest
from streamweave.harvest.scan import discover
from streamweave.harvest.source_check import RehashReport, rehash
from streamweave.harvest.transfer import transfer_files
from streamweave.preservation.certificates.archive_check import Archive, Rereader
from streamweave.preservation.certificates.document import Certificate, Signer
from streamweave.preservation.certificates.evidence import Scope, all_locations, circumstances_of, evidence_batches
from streamweave.preservation.certificates.issue import Issuer
from streamweave.preservation.certificates.judgement import Reason, Verdict
from streamweave.preservation.report import SweepReport
from streamweave.preservation.sweep import sweep_tonight
from streamweave.storage.marking import mark_new_place
from streamweave.storage.opening import open_storage

SEED = "5f" * 32
CONTENT = b"time,value\n0,1.0\n1,2.0\n"
numbers = itertools.count(1)


@dataclass
class Clock:
    """A clock that stands still until it is moved; waiting moves it."""

    time: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class Site:
    """One instrument, its share, its archives, and who certifies."""

    facility: Facility
    instrument: Instrument
    laboratory: Laboratory
    clock: Clock
    folder: Path
    archives: dict[str, StorageLocation] = field(default_factory=dict)

    def write(self, path: str, content: bytes = CONTENT) -> None:
        self.laboratory.write(path, content, self.clock.time - timedelta(hours=1))

    def add_archive(self, name: str, *, scheduled: bool = True, adopt: bool = False) -> StorageLocation:
        unique = f"{name} {self.instrument.slug}"
        location = StorageLocation(
            id=uuid.uuid4(),
            name=unique,
            type=StorageType.POSIX,
            base_path=str(self.folder / unique),
            connection_config={},
        )
        with self.facility.sessions.begin() as session:
            mark_new_place(session, open_storage(location), location, adopt=adopt)
            session.add(location)
            session.flush()
            if scheduled:
                session.add(
                    Schedule(
                        instrument_id=self.instrument.id,
                        default_storage_location_id=location.id,
                        cron_expression="0 * * * *",
                        dagster_schedule_name=f"harvest_{uuid.uuid4().hex}",
                    )
                )
        self.archives[name] = location
        return location

    def change(self, row: Any, **values: Any) -> None:
        with self.facility.sessions.begin() as session:
            stored = session.get_one(type(row), row.id)
            for name, value in values.items():
                setattr(stored, name, value)
                setattr(row, name, value)

    def harvest(self) -> None:
        harvest(self.facility, self.instrument)

    def look(self) -> None:
        """Look at the share, a minute later."""
        self.clock.wait(60)
        discover(self.facility, self.instrument)
        self.clock.wait(1)

    def look_and_judge(self) -> None:
        """Look, and decide what has settled by now, without waiting until it is quiet."""
        self.clock.wait(60)
        run.scan(self.facility, self.instrument)

    def copy_what_has_settled(self) -> None:
        """The rest of a harvest."""
        filter_files(self.facility, self.instrument)
        with harvest_run(self.facility.sessions, self.instrument.id) as run_id:
            transfer_files(self.facility, self.instrument, run_id)

    def look_at_some(self, folders: int) -> ScanOutcome:
        """A look whose time is over after so many folders; the next such look goes on from there."""
        self.clock.wait(60)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scan, "monotonic", itertools.count(1).__next__)
            outcome = discover(self.facility, self.instrument, budget_seconds=folders - 1).outcome
        self.clock.wait(1)
        return outcome

    def archive_everything(self) -> None:
        """Harvest, and look once more."""
        self.harvest()
        self.look()

    def transfers(self, path: str) -> list[Transfer]:
        with self.facility.sessions() as session:
            query = select(Transfer).join(FileRecord, FileRecord.id == Transfer.file_id)
            here = FileRecord.instrument_id == self.instrument.id
            return list(session.scalars(query.where(here, FileRecord.source_path == path)))

    def archived(self, name: str) -> dict[str, bytes]:
        """What stands in an archive, by the path of each copy."""
        root = Path(self.archives[name].base_path)
        files = [path for path in root.rglob("*") if path.is_file() and ".streamweave" not in path.parts]
        return {str(path.relative_to(root)): path.read_bytes() for path in files}

    def spoil(self, name: str, path: str, content: bytes) -> None:
        """Other bytes in an archive, below the catalog's back."""
        copy = Path(self.archives[name].base_path) / path
        copy.chmod(0o644)
        copy.write_bytes(content)
        self.touch_copy(copy)

    def rot(self, name: str, path: str) -> None:
        """Other bytes, behind the same size and time: what a device may do by itself."""
        copy = Path(self.archives[name].base_path) / path
        content, status = copy.read_bytes(), copy.stat()
        copy.chmod(0o644)
        copy.write_bytes(bytes(byte ^ 1 for byte in content))
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))

    def unmount(self, name: str) -> None:
        """Take an archive away; without an empty folder in its place."""
        place = Path(self.archives[name].base_path)
        place.rename(f"{place} unmounted")

    def mount(self, name: str) -> None:
        """Bring it back."""
        place = self.archives[name].base_path
        Path(f"{place} unmounted").rename(place)

    def touch_copy(self, copy: Path) -> None:
        """The copy was last written now, by our clock rather than by the machine's."""
        os.utime(copy, (self.clock.time.timestamp(),) * 2)

    def sweep(self) -> list[SweepReport]:
        """One night's sweep over each archive, a minute later."""
        self.clock.wait(60)
        return [sweep_tonight(self.facility, location) for location in self.archives.values()]

    def reread_at_the_source(self) -> RehashReport:
        """What harvests do a share of at a time: all archived files are read again at the source."""
        self.clock.wait(60)
        self.change(self.instrument, rehash_share=1.0)
        report = rehash(self.facility, self.instrument)
        self.change(self.instrument, rehash_share=0.0)
        return report

    def issuer(self) -> Issuer:
        return Issuer(self.facility.sessions, self.facility.open_marked, Signer(SEED), self.facility.now)

    def certify(self, path: str | None = None, *, reread: bool = False, **others: Any) -> Certificate:
        if not reread:
            return self.issuer().issue(self.instrument, issued_to="test", path=path, **others)
        with Rereader(self.facility, self.instrument, source=True, archive=True) as rereader:
            return self.issuer().issue(self.instrument, issued_to="test", path=path, rereader=rereader, **others)

    def verdict(self, path: str | None = None) -> Verdict:
        return self.certify(path).verdict

    def reasons(self, path: str | None = None, *, reread: bool = False) -> set[Reason]:
        return {Reason(each["reason"]) for each in self.certify(path, reread=reread).document["reasons"]}

    def evidence(self) -> Any:
        """The circumstances with what is in the archive, and the evidence of every file by its path."""
        with self.facility.sessions() as session:
            circumstances = circumstances_of(session, self.instrument, self.clock.now())
            locations = all_locations(session)
        archive = Archive(locations, self.facility.open_marked, in_full=True)
        batches = evidence_batches(self.facility.sessions, Scope(self.instrument.id))
        files = [file for batch in batches for file in batch]
        copies = archive.find_copies(files, {place.id for place in circumstances.destinations})
        circumstances = replace(circumstances, copies=copies, troubles=archive.troubles)
        return circumstances, {file.source_path: file for file in files}


@pytest.fixture
def make_site(sessions: Sessions, tmp_path: Path) -> Callable[[], Site]:
    """Makes sites that share one catalog, each with an instrument of its own and one archive, ``first``."""

    def make() -> Site:
        number = next(numbers)
        laboratory, clock = Laboratory(share="microscope"), Clock()
        facility = Facility(
            sessions=sessions,
            open_source=lambda instrument: laboratory.source(),
            open_storage=open_storage,
            mint_identifier=lambda: ark.mint("99999", "fk4"),
            now=clock.now,
            wait=clock.wait,
        )
        instrument = Instrument(
            slug=f"microscope_{number}",
            name=f"Microscope {number}",
            cifs_host="microscope",
            cifs_share="microscope",
            archive_folder=f"Microscope {number}",
            quiet_period_seconds=5,
            rehash_share=0.0,
            timezone="UTC",
        )
        with sessions.begin() as session:
            session.add(instrument)
        site = Site(facility, instrument, laboratory, clock, tmp_path)
        site.add_archive("first")
        return site

    return make


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    return make_site()
