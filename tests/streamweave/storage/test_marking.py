"""How places get their marks, and what is refused as somebody else's."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import delete
from sqlalchemy.orm import Session

from streamweave.catalog.schema import catalog_id, renew_identity
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import CatalogIdentity, StorageLocation, VersionState
from streamweave.errors import Conflict, InvalidInput, StorageRefused
from streamweave.preservation.verification import FindingKind, verify_location
from streamweave.sealing import Sealer
from streamweave.storage.locations import (
    adopt_storage_location,
    create_storage_location,
    delete_storage_location,
    restore_storage_location,
    update_storage_location,
)
from streamweave.storage.marking import open_marked
from streamweave.storage.marks import EARLY_MARKS, Mark, parse_mark
from streamweave.storage.opening import open_storage

SEALER = Sealer(Fernet.generate_key().decode())
MARK = ".streamweave/location"


def enter(session: Session, place: Path, name: str = "Archive", **more: Any) -> StorageLocation:
    return create_storage_location(session, SEALER, {"name": name, "base_path": str(place), **more})


def mark_at(place: Path) -> Mark:
    mark = parse_mark((place / MARK).read_bytes())
    assert isinstance(mark, Mark)
    return mark


def row(sessions: Sessions, location: StorageLocation) -> StorageLocation:
    with sessions() as session:
        return session.get_one(StorageLocation, location.id)


def refused(sessions: Sessions, location: StorageLocation) -> str:
    """The sentence that refuses the place; it must stand on record too."""
    with pytest.raises(StorageRefused) as refusal:
        open_marked(sessions, open_storage, location, to_write=True)
    assert row(sessions, location).refusal == str(refusal.value)
    return str(refusal.value)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def location(sessions: Sessions, place: Path) -> StorageLocation:
    with sessions.begin() as session:
        return enter(session, place)


@pytest.fixture
def other_catalog(sessions: Sessions) -> Callable[[], None]:
    """From now on this is another catalog: one that knows of no location."""

    def begin() -> None:
        with sessions.begin() as session:
            session.execute(delete(StorageLocation))
            renew_identity(session)

    return begin


def test_a_catalog_has_one_identity_and_keeps_it(sessions: Sessions) -> None:
    with sessions() as session:
        first = catalog_id(session)
    with sessions() as session:
        assert catalog_id(session) == first
        assert session.query(CatalogIdentity).count() == 1


def test_a_new_location_is_marked_as_ours(sessions: Sessions, location: StorageLocation, place: Path) -> None:
    with sessions() as session:
        assert mark_at(place) == Mark(location.id, catalog_id(session), location.marked_at)
    assert open_marked(sessions, open_storage, location).found_mark() == mark_at(place)


def test_a_place_that_lost_its_mark_is_refused_and_not_filled(
    sessions: Sessions, location: StorageLocation, place: Path
) -> None:
    shutil.rmtree(place)
    place.mkdir()
    assert "is not the place it was: no mark" in refused(sessions, location)
    assert "streamweave storage adopt 'Archive'" in refused(sessions, location)
    assert list(place.iterdir()) == []


def test_a_place_that_is_gone_is_refused_and_not_made_again(
    sessions: Sessions, location: StorageLocation, place: Path
) -> None:
    shutil.rmtree(place)
    assert "Is the disk mounted?" in refused(sessions, location)
    assert not place.exists()


def test_a_place_that_comes_back_is_no_longer_refused(
    sessions: Sessions, location: StorageLocation, place: Path
) -> None:
    place.rename(place.with_name("unmounted"))
    refused(sessions, location)
    place.with_name("unmounted").rename(place)
    open_marked(sessions, open_storage, location)
    found = row(sessions, location)
    assert (found.refusal, found.refused_at) == (None, None)


def test_a_disk_that_goes_after_it_was_opened_is_not_written_below(
    sessions: Sessions, location: StorageLocation, place: Path
) -> None:
    storage = open_marked(sessions, open_storage, location, to_write=True)
    place.rename(place.with_name("unmounted"))
    shutil.copytree(place.with_name("unmounted"), place)  # even one with the same mark
    with pytest.raises(StorageRefused, match="not the place it was a moment ago"), storage.stage("t1"):
        pass
    errors = [*storage.stage_whole({"t2": b"x"}).values(), *storage.publish_many({"t1": "a"}).values()]
    assert {type(error) for error in errors} == {StorageRefused}
    assert list(place.rglob("*.part")) == []


def test_two_exchanged_places_are_both_refused_by_the_others_name(
    sessions: Sessions, location: StorageLocation, place: Path, tmp_path: Path
) -> None:
    second_place = tmp_path / "second"
    with sessions.begin() as session:
        second = enter(session, second_place, "Second")
    place.rename(tmp_path / "aside")
    second_place.rename(place)
    (tmp_path / "aside").rename(second_place)
    assert "another storage location: 'Second'" in refused(sessions, location)
    assert "another storage location: 'Archive'" in refused(sessions, second)


def test_a_place_of_another_catalog_is_refused_until_it_is_adopted(
    sessions: Sessions, location: StorageLocation, place: Path, other_catalog: Callable[[], None]
) -> None:
    theirs = mark_at(place)
    other_catalog()
    with sessions() as session, pytest.raises(InvalidInput, match=f"another catalog.*{theirs.catalog_id}.*adopt"):
        enter(session, place)
    assert mark_at(place) == theirs
    with sessions.begin() as session:
        ours = enter(session, place, adopt=True)
    assert mark_at(place).location_id == ours.id != theirs.location_id
    open_marked(sessions, open_storage, ours, to_write=True)


def test_a_folder_within_another_catalogs_place_is_refused(
    sessions: Sessions, location: StorageLocation, place: Path, other_catalog: Callable[[], None]
) -> None:
    other_catalog()
    with sessions() as session, pytest.raises(InvalidInput, match=f"lies within {place}"):
        enter(session, place / "deep" / "inside")
    assert not (place / "deep").exists()


def test_a_catalog_with_a_new_identity_is_refused_by_its_places(
    sessions: Sessions, location: StorageLocation, place: Path
) -> None:
    with sessions.begin() as session:
        renew_identity(session)
    assert "belongs to another catalog" in refused(sessions, location)
    with sessions.begin() as session:
        replaced = adopt_storage_location(session, SEALER, location.id)
    assert isinstance(replaced, Mark)
    assert replaced.location_id == location.id
    open_marked(sessions, open_storage, location, to_write=True)
    assert row(sessions, location).refusal is None


def test_adopting_makes_no_folder(sessions: Sessions, location: StorageLocation, place: Path) -> None:
    shutil.rmtree(place)
    with sessions() as session, pytest.raises(Conflict, match="is the disk mounted"):
        adopt_storage_location(session, SEALER, location.id)
    assert not place.exists()


def test_the_disk_that_was_replaced_by_adopting_another_is_refused(
    sessions: Sessions, location: StorageLocation, place: Path, tmp_path: Path
) -> None:
    place.rename(tmp_path / "old disk")
    place.mkdir()
    with sessions.begin() as session:
        adopt_storage_location(session, SEALER, location.id)
    open_marked(sessions, open_storage, location)
    shutil.rmtree(place)
    (tmp_path / "old disk").rename(place)
    assert "was replaced" in refused(sessions, location)


@pytest.mark.parametrize("was_marked", [True, False])
def test_a_catalog_from_an_older_dump_knows_its_place_again(
    sessions: Sessions, location: StorageLocation, place: Path, was_marked: bool
) -> None:
    before = row(sessions, location).marked_at
    with sessions.begin() as session:
        adopt_storage_location(session, SEALER, location.id)
    with sessions.begin() as session:  # what the dump says
        session.get_one(StorageLocation, location.id).marked_at = before if was_marked else None
    open_marked(sessions, open_storage, location, to_write=True)
    assert row(sessions, location).marked_at == mark_at(place).made_at


def test_what_was_never_committed_can_be_entered_again(sessions: Sessions, place: Path) -> None:
    with sessions() as session:
        enter(session, place)
        session.rollback()
    with sessions.begin() as session:
        location = enter(session, place)
    assert mark_at(place).location_id == location.id


def test_an_archive_whose_location_the_catalog_has_forgotten_is_not_taken_silently(
    sessions: Sessions, place: Path
) -> None:
    with sessions() as session:
        enter(session, place)
        session.rollback()
    (place / "a.csv").write_bytes(b"archived since the dump")
    with sessions() as session, pytest.raises(InvalidInput, match=r"which the catalog does not know.*adopt"):
        enter(session, place)


def test_a_deleted_location_leaves_its_place_to_others_and_comes_back_when_it_is_free(
    sessions: Sessions, location: StorageLocation, place: Path
) -> None:
    with sessions.begin() as session:
        delete_storage_location(session, location.id)
        second = enter(session, place, "Second")
    with sessions() as session, pytest.raises(Conflict, match="must lie apart"):
        restore_storage_location(session, SEALER, location.id)
    with sessions.begin() as session:
        delete_storage_location(session, second.id)
        restore_storage_location(session, SEALER, location.id)
    assert mark_at(place).location_id == location.id


def test_a_moved_location_is_marked_at_its_new_place_with_its_own_id(
    sessions: Sessions, location: StorageLocation, place: Path, tmp_path: Path
) -> None:
    with sessions.begin() as session:
        update_storage_location(session, SEALER, location.id, {"base_path": str(tmp_path / "new")})
    moved = row(sessions, location)
    assert mark_at(tmp_path / "new") == Mark(location.id, mark_at(place).catalog_id, moved.marked_at)
    open_marked(sessions, open_storage, moved, to_write=True)


@pytest.mark.parametrize("where", ["link", "link/inside"])
def test_a_second_path_to_a_place_is_a_twin(
    sessions: Sessions, location: StorageLocation, place: Path, tmp_path: Path, where: str
) -> None:
    (tmp_path / "link").symlink_to(place)
    with sessions() as session, pytest.raises(InvalidInput, match="Archive"):
        enter(session, tmp_path / where, "Twin")


# what an earlier release left: a place with a mark that does not say whose it is, and a row without `marked_at`


def make_early(bench: Any, location: StorageLocation) -> None:
    (Path(location.base_path) / MARK).write_bytes(EARLY_MARKS[0])
    bench.change(location, marked_at=None)


@pytest.fixture
def early(bench: Any) -> Any:
    """A bench with eight archived files, as an earlier release left it."""
    for number in range(8):
        bench.write(f"microscope/{number}.csv", b"0123456789"[: number + 1])
    bench.harvest()
    make_early(bench, bench.location)
    return bench


def test_a_place_of_an_earlier_release_is_marked_at_first_sight(early: Any) -> None:
    early.write("microscope/new.csv")
    early.harvest()
    assert set(early.states().values()) == {VersionState.ARCHIVED}
    assert mark_at(early.archive).made_at == row(early.facility.sessions, early.location).marked_at


@pytest.mark.parametrize("fault", ["missing", "too short", "not mounted"])
def test_a_place_of_an_earlier_release_that_lacks_what_the_catalog_says_is_refused(early: Any, fault: str) -> None:
    copy = early.archive / "Microscope 01/microscope/7.csv"
    if fault == "not mounted":
        shutil.rmtree(early.archive)
        early.archive.mkdir()
    else:
        copy.unlink()
        if fault == "too short":
            copy.write_bytes(b"0123456")
    before = sorted(early.archive.rglob("*"))
    sentence = refused(early.facility.sessions, early.location)
    assert "streamweave storage adopt 'archive'" in sentence
    assert ("no mark" if fault == "not mounted" else f"{copy} should exist with 8 bytes") in sentence
    assert sorted(early.archive.rglob("*")) == before
    if fault != "not mounted":
        assert (early.archive / MARK).read_bytes() == EARLY_MARKS[0]


def test_an_empty_place_of_an_earlier_release_is_marked_unless_a_strangers_files_are_there(bench: Any) -> None:
    make_early(bench, bench.location)
    (bench.archive / "theirs.csv").write_bytes(b"whose?")
    assert "the catalog knows of no intact file" in refused(bench.facility.sessions, bench.location)
    (bench.archive / "theirs.csv").unlink()
    bench.facility.open_marked(bench.location, to_write=True)
    assert mark_at(bench.archive).location_id == bench.location.id


def test_of_two_early_locations_on_one_place_the_second_is_refused(early: Any, tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(early.archive)
    twin = early.add(StorageLocation(name="twin", base_path=str(tmp_path / "again"), connection_config={}))
    early.facility.open_marked(early.location)
    assert "another storage location: 'archive'" in refused(early.facility.sessions, twin)


def test_staged_files_of_an_earlier_release_are_swept_only_if_they_are_known_to_be_ours(early: Any) -> None:
    (transfer,) = early.transfers("microscope/0.csv")
    incoming = early.archive / ".streamweave/incoming"
    for name in (str(transfer.claim_id), "0b0b0b0b-0000-4000-8000-000000000000", "probe"):
        (incoming / f"{name}.part").write_bytes(b"half")
    early.write("microscope/new.csv")
    early.harvest()
    left = {path.name for path in incoming.glob("*.part")}
    assert left == {"0b0b0b0b-0000-4000-8000-000000000000.part", "probe.part"}
    report = verify_location(early.facility, early.location)
    assert (report.counts[FindingKind.LEFTOVER], report.counts.total()) == (2, 2)


def test_the_mark_is_written_in_one_step(sessions: Sessions, location: StorageLocation, place: Path) -> None:
    (place / ".streamweave" / f"location.{location.id}").write_bytes(b"half a ma")  # left by one that died
    with sessions.begin() as session:
        adopt_storage_location(session, SEALER, location.id)
    assert mark_at(place).location_id == location.id
    assert sorted(os.listdir(place / ".streamweave")) == ["incoming", "location"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (EARLY_MARKS[0], "has the mark of an earlier release"),
        (b"?", "has a mark of a storage location that can't be read"),
    ],
)
def test_a_left_over_mark_above_a_new_place_is_named_for_what_it_is_and_can_be_removed(
    sessions: Sessions, place: Path, content: bytes, told: str
) -> None:
    left_over = place / MARK
    left_over.parent.mkdir(parents=True)
    left_over.write_bytes(content)
    with sessions() as session, pytest.raises(InvalidInput, match=f"{told}.*remove {left_over}") as refusal:
        enter(session, place / "inside", adopt=True)
    assert "another catalog" not in str(refusal.value)
    left_over.unlink()
    with sessions.begin() as session:
        enter(session, place / "inside")
