"""What happens to disks in every facility: away at the wrong moment, exchanged, mounted twice, used by two catalogs.

Disks are folders that are moved away and back; where we may mount, they are file systems of their own as well.
"""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from soak.experiments.disks import may_mount
from streamweave.alerts.storage_conditions import refused_storage
from streamweave.catalog.session import Sessions, catalog_engine, catalog_sessions
from streamweave.catalog.tables import Schedule, StorageLocation, VersionState
from streamweave.errors import InvalidInput
from streamweave.harvest.transfer import sweep
from streamweave.preservation.sweep import sweep_tonight
from streamweave.preservation.verification import verify_location
from streamweave.sealing import Sealer
from streamweave.storage.locations import create_storage_location
from streamweave_cli.postgres import EmbeddedPostgres

SEALER = Sealer(Fernet.generate_key().decode())


@dataclass
class MovedDisks:
    """Disks that are folders: to insert one is to move it to its place, to remove it leaves an empty folder there."""

    folder: Path

    def new(self, name: str) -> Path:
        disk = self.folder / name
        disk.mkdir()
        return disk

    def insert(self, disk: Path, place: Path) -> None:
        if place.exists():
            place.rmdir()
        disk.rename(place)

    def remove(self, disk: Path, place: Path) -> None:
        place.rename(disk)
        place.mkdir()

    def clean_up(self) -> None:
        """Nothing is mounted."""


@dataclass
class MountedDisks(MovedDisks):
    """Disks that are file systems in memory, bound to their places."""

    mounted: list[Path] = field(default_factory=list)

    def new(self, name: str) -> Path:
        disk = super().new(name)
        self._mount(disk, "-t", "tmpfs", "-o", "size=8m", "tmpfs")
        return disk

    def insert(self, disk: Path, place: Path) -> None:
        place.mkdir(exist_ok=True)
        self._mount(place, "--bind", str(disk))

    def remove(self, _disk: Path, place: Path) -> None:
        subprocess.run(["umount", str(place)], check=True)
        self.mounted.remove(place)

    def clean_up(self) -> None:
        for place in reversed(self.mounted):
            subprocess.run(["umount", "--lazy", str(place)], check=True)

    def _mount(self, place: Path, *how: str) -> None:
        subprocess.run(["mount", *how, str(place)], check=True)
        self.mounted.append(place)


def mounted_disks(folder: Path) -> MountedDisks:
    if not may_mount(folder):
        pytest.skip("nothing may be mounted here")
    return MountedDisks(folder)


@pytest.fixture(params=[MovedDisks, mounted_disks], ids=["moved", "mounted"])
def disks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MovedDisks]:
    disks: MovedDisks = request.param(tmp_path)
    yield disks
    disks.clean_up()


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[MountedDisks]:
    disks = mounted_disks(tmp_path)
    yield disks
    disks.clean_up()


@pytest.fixture
def elsewhere(bench: Any) -> Any:
    """A bench whose first location is disabled: a test makes its own."""
    bench.change(bench.location, enabled=False)
    return bench


def files_below(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()]


def copies_below(place: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in place.rglob("*.dat"))


def test_a_disk_that_is_away_before_the_first_file_is_noticed(
    elsewhere: Any, disks: MovedDisks, tmp_path: Path
) -> None:
    place, disk = tmp_path / "place", disks.new("disk")
    disks.insert(disk, place)
    elsewhere.add_location("A", place)
    disks.remove(disk, place)
    elsewhere.write("microscope/one.dat", b"one")
    (trouble,) = elsewhere.harvest().troubles
    assert "is not the place it was: no mark" in str(trouble)
    assert files_below(place) == []
    assert elsewhere.states()["microscope/one.dat"] == VersionState.PENDING

    disks.insert(disk, place)
    assert elsewhere.harvest().troubles == []
    assert copies_below(place) == [b"one"]
    assert elsewhere.states()["microscope/one.dat"] == VersionState.ARCHIVED


def test_exchanged_disks_are_refused_by_the_others_name(elsewhere: Any, disks: MovedDisks, tmp_path: Path) -> None:
    b, c, disk_b, disk_c = tmp_path / "b", tmp_path / "c", disks.new("disk_b"), disks.new("disk_c")
    disks.insert(disk_b, b)
    disks.insert(disk_c, c)
    for name, place in (("B", b), ("C", c)):
        elsewhere.add_location(name, place)
    elsewhere.write("microscope/one.dat", b"one")
    elsewhere.harvest()
    for disk, place in ((disk_b, b), (disk_c, c)):
        disks.remove(disk, place)
    disks.insert(disk_c, b)
    disks.insert(disk_b, c)

    elsewhere.write("microscope/two.dat", b"two")
    troubles = " ".join(str(trouble) for trouble in elsewhere.harvest().troubles)
    assert f"{b} has the mark of another storage location: 'C'" in troubles
    assert f"{c} has the mark of another storage location: 'B'" in troubles
    assert (copies_below(b), copies_below(c)) == ([b"one"], [b"one"])

    for disk, place in ((disk_c, b), (disk_b, c)):
        disks.remove(disk, place)
    disks.insert(disk_b, b)
    disks.insert(disk_c, c)
    assert elsewhere.harvest().troubles == []
    assert (copies_below(b), copies_below(c)) == ([b"one", b"two"], [b"one", b"two"])


def test_nothing_is_swept_or_verified_while_the_disk_is_away_and_people_are_told(
    elsewhere: Any, disks: MovedDisks, tmp_path: Path
) -> None:
    place, disk = tmp_path / "place", disks.new("disk")
    disks.insert(disk, place)
    location = elsewhere.add_location("A", place)
    elsewhere.write("microscope/one.dat", b"one")
    elsewhere.harvest()
    disks.remove(disk, place)

    swept = sweep_tonight(elsewhere.facility, location)
    assert "is not the place it was: no mark" in str(swept.trouble)
    assert (swept.files, swept.damaged) == (0, [])
    for quick in (True, False):
        report = verify_location(elsewhere.facility, location, quick=quick)
        assert "is not the place it was: no mark" in str(report.trouble)
        assert report.counts.total() == 0
    with elsewhere.facility.sessions() as session:
        (condition,) = refused_storage(session)
    assert (condition.subject_id, condition.subject) == (location.id, "A")
    assert "A is refused since" in condition.sentence
    assert "Is the disk mounted?" in condition.sentence

    disks.insert(disk, place)
    assert verify_location(elsewhere.facility, location).trouble is None
    with elsewhere.facility.sessions() as session:
        assert list(refused_storage(session)) == []


@pytest.mark.parametrize("within", ["", "inside"])
def test_a_second_mount_of_a_place_is_no_further_location(
    sessions: Sessions, mounts: MountedDisks, tmp_path: Path, within: str
) -> None:
    disk, first, second = mounts.new("disk"), tmp_path / "first", tmp_path / "second"
    (disk / "inside").mkdir()
    mounts.insert(disk, first)
    mounts.insert(disk / within, second)
    with sessions.begin() as session:
        create_storage_location(session, SEALER, {"name": "First", "base_path": str(first)})
    told = f"{second} {'lies in' if within else 'is the same place as'} the storage location 'First'"
    with sessions() as session, pytest.raises(InvalidInput, match=told):
        create_storage_location(session, SEALER, {"name": "Second", "base_path": str(second)})
    assert not (disk / "inside" / ".streamweave").exists()


def test_a_place_that_holds_another_one_under_a_second_mount_is_no_location(
    sessions: Sessions, mounts: MountedDisks, tmp_path: Path
) -> None:
    disk, first, second = mounts.new("disk"), tmp_path / "first", tmp_path / "second"
    (disk / "inside").mkdir()
    mounts.insert(disk / "inside", first)
    mounts.insert(disk, second)
    with sessions.begin() as session:
        create_storage_location(session, SEALER, {"name": "First", "base_path": str(first)})
    with sessions() as session, pytest.raises(InvalidInput, match=f"{second} holds the storage location 'First'"):
        create_storage_location(session, SEALER, {"name": "Second", "base_path": str(second)})


# two catalogs


@pytest.fixture
def other_sessions(
    sessions: Sessions, postgres: EmbeddedPostgres, template_database: str
) -> Iterator[Callable[[], Sessions]]:
    """Makes a second catalog, as it is after `streamweave migrate`, with an identity of its own."""
    name = f"other_{uuid.uuid4().hex}"
    admin = catalog_engine(postgres.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template_database}"))
    engine = catalog_engine(postgres.url(name))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE catalog_identity SET id = gen_random_uuid()")
        )  # the template's copies share one
    yield lambda: catalog_sessions(engine)
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def test_a_second_catalog_is_refused_at_the_firsts_place(bench: Any, other_sessions: Callable[[], Sessions]) -> None:
    bench.write("microscope/one.dat", b"one")
    bench.harvest()
    before = sorted(bench.archive.rglob("*"))
    entered = {"name": "Test", "base_path": str(bench.archive)}
    with other_sessions()() as session, pytest.raises(InvalidInput, match="belongs to another catalog"):
        create_storage_location(session, SEALER, entered)
    assert sorted(bench.archive.rglob("*")) == before


def test_what_one_catalog_is_writing_another_never_sweeps(bench: Any, other_sessions: Callable[[], Sessions]) -> None:
    storage = bench.facility.open_marked(bench.location, to_write=True)
    with storage.stage("under-way") as staged:
        staged.write(b"half a co")
        sessions = other_sessions()
        with sessions.begin() as session:
            entered = {"name": "Test", "base_path": str(bench.archive), "adopt": True}
            theirs = create_storage_location(session, SEALER, entered)
        other = replace(bench.facility, sessions=sessions)
        assert sweep(other, theirs.id, other.open_marked(theirs, to_write=True)) == 0
        staged.write(b"py")
    assert b"".join(map(bytes, storage.read_staged("under-way"))) == b"half a copy"
    bench.write("microscope/one.dat", b"one")
    (trouble,) = bench.harvest().troubles
    assert "belongs to another catalog" in str(trouble)


def test_a_location_that_is_refused_holds_up_no_other(bench: Any, tmp_path: Path) -> None:
    second = bench.add_location("second", tmp_path / "second")
    Path(second.base_path).rename(tmp_path / "unmounted")
    bench.write("microscope/one.dat", b"one")
    (trouble,) = bench.harvest().troubles
    assert str(tmp_path / "second") in str(trouble)
    assert copies_below(bench.archive) == [b"one"]
    with bench.facility.sessions() as session:
        assert session.query(Schedule).count() == 2
        assert [each.name for each in session.query(StorageLocation) if each.refusal] == ["second"]
