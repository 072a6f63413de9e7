"""A new catalog from journals alone equals the old one in paths, versions, identifiers and hashes."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from streamweave.catalog.schema import catalog_id, renew_identity
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument, StorageLocation, VersionState
from streamweave.errors import Conflict, InvalidInput, StorageUnavailable
from streamweave.harvest.instrument_changes import update_instrument
from streamweave.harvest.plan import filter_files
from streamweave.journal import entries
from streamweave.journal.entries import Heading
from streamweave.journal.readoption import readopt_everywhere
from streamweave.journal.rebuilding import rebuild
from streamweave.preservation.sweep import sweep_archive
from streamweave.preservation.verification import verify_location
from streamweave.storage.marking import adopt_place
from streamweave.storage.posix import FolderJournal

HEADING_FIELDS = entries._heading_fields


def place(location: Any) -> StorageLocation:
    """The place of a location, as a person names it."""
    return StorageLocation(name="", type="posix", base_path=location.base_path, connection_config={})


def harvested(bench: Any, tmp_path: Path) -> Any:
    """Two locations, several versions, a touched file, and one that is gone; returns the second location."""
    mirror = bench.add_location("mirror", tmp_path / "mirror")
    for number in range(40):
        bench.write(f"microscope/folder {number % 3}/file {number}.dat", f"content {number}".encode())
    bench.write("microscope/ünïcode ~v2 %.dat", b"odd")
    bench.harvest()
    bench.clock.wait(3600)
    for number in range(5):
        bench.write(f"microscope/folder {number % 3}/file {number}.dat", f"further {number}".encode())
    bench.write("microscope/folder 0/file 9.dat", b"content 9")  # touched
    bench.laboratory.remove("microscope/folder 1/file 10.dat")
    bench.harvest()
    return mirror


def test_a_catalog_is_rebuilt_from_journals_alone(bench: Any, new_catalog: Sessions, tmp_path: Path) -> None:
    mirror = harvested(bench, tmp_path)
    facility = replace(bench.facility, sessions=new_catalog)
    heard: list[int] = []
    rebuilt = rebuild(facility, [place(bench.location), place(mirror)], lambda told: heard.append(told.entries))
    after = bench.with_facility(sessions=new_catalog)
    assert after.proofs() == bench.proofs()
    assert len(after.proofs()) == 2 * 46
    assert max(heard) == 46
    assert rebuilt.instruments == ["microscope_01"]
    with new_catalog() as session, bench.facility.sessions() as before:
        assert catalog_id(session) == catalog_id(before) == rebuilt.catalog_id
        instrument = session.scalars(select(Instrument)).one()
        assert (instrument.id, instrument.enabled, instrument.cifs_host) == (
            bench.instrument.id,
            False,
            "not-entered.invalid",
        )
        names = session.scalars(select(StorageLocation.name).order_by(StorageLocation.name)).all()
        assert names == ["archive", "mirror"]
    for location in (bench.location, mirror):
        assert verify_location(facility, location).counts.total() == 0


def test_a_rebuilt_catalog_is_harvested_on_without_a_copy(bench: Any, new_catalog: Sessions, tmp_path: Path) -> None:
    mirror = harvested(bench, tmp_path)
    rebuild(replace(bench.facility, sessions=new_catalog), [place(bench.location), place(mirror)])
    after = bench.with_facility(sessions=new_catalog)
    with new_catalog.begin() as session:
        instrument = session.scalars(select(Instrument)).one()
        instrument.enabled, instrument.cifs_host, instrument.quiet_period_seconds = True, "microscope-01", 5
    before, standing = after.proofs(), after.archived()
    after.clock.wait(3600)
    assert filter_files(after.facility, after.instrument).counts.total() == 41  # no schedule names a location yet
    after.harvest()
    assert after.archived() == standing
    assert after.proofs() == before
    assert after.record("microscope/folder 1/file 10.dat").gone_at is not None
    assert after.states()["microscope/folder 1/file 10.dat"] == VersionState.ARCHIVED


def test_one_of_two_places_is_enough_for_what_stands_there(bench: Any, new_catalog: Sessions, tmp_path: Path) -> None:
    mirror = harvested(bench, tmp_path)
    rebuild(replace(bench.facility, sessions=new_catalog), [place(mirror)])
    after = bench.with_facility(sessions=new_catalog)
    assert after.proofs() == {each for each in bench.proofs() if mirror.id in each}


def test_a_catalog_that_holds_something_is_not_rebuilt(bench: Any) -> None:
    with pytest.raises(Conflict, match="is not empty"):
        rebuild(bench.facility, [place(bench.location)])


def test_a_folder_without_a_mark_is_refused(bench: Any, new_catalog: Sessions, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    nowhere = StorageLocation(name="", type="posix", base_path=str(tmp_path / "empty"), connection_config={})
    with pytest.raises(InvalidInput, match="has no mark"):
        rebuild(replace(bench.facility, sessions=new_catalog), [nowhere])


def test_what_was_archived_before_there_were_journals_is_noted_by_the_first_night(
    bench: Any, new_catalog: Sessions, tmp_path: Path
) -> None:
    mirror = harvested(bench, tmp_path)
    for location in (bench.location, mirror):
        shutil.rmtree(Path(location.base_path) / ".streamweave/journal")
        bench.change(location, journal_is_complete=False)
    grew = "microscope/folder 2/file 2.dat"
    bench.change(bench.version(grew), unfinished="it was growing")
    sweep_archive(bench.facility)
    rebuild(replace(bench.facility, sessions=new_catalog), [place(bench.location), place(mirror)])
    rebuilt = bench.with_facility(sessions=new_catalog)
    assert rebuilt.proofs() == bench.proofs()
    assert rebuilt.version(grew).unfinished is not None
    assert readopt_everywhere(bench.facility) == []


@pytest.mark.parametrize("names_base_folder", [True, False])
@pytest.mark.parametrize("share", ["microscope", "renamed"])
def test_files_are_known_again_once_the_address_of_their_instrument_is_entered(
    bench: Any, new_catalog: Sessions, monkeypatch: pytest.MonkeyPatch, names_base_folder: bool, share: str
) -> None:
    if not names_base_folder:
        monkeypatch.setattr(entries, "_heading_fields", _early_heading)
    bench.change(bench.instrument, cifs_base_path="/data")
    bench.write("microscope/data/run/a.dat", b"a")
    bench.harvest()
    rebuild(replace(bench.facility, sessions=new_catalog), [place(bench.location)])
    address = {"cifs_host": "microscope-01", "cifs_share": share, "cifs_base_path": "/data"}
    with new_catalog.begin() as session:
        instrument = session.scalars(select(Instrument)).one()
        assert (instrument.cifs_base_path == "/data") == names_base_folder
        with pytest.raises(InvalidInput, match=r"enabled: enter cifs_host .* and service_account_id first"):
            update_instrument(session, instrument.id, {"enabled": True})
        update_instrument(session, instrument.id, {**address, "address_change": "same_files"})
    after = bench.with_facility(sessions=new_catalog)
    moved = after.record(f"{share}/data/run/a.dat")
    assert moved.persistent_id == bench.record("microscope/data/run/a.dat").persistent_id
    assert moved.gone_at is None


def _early_heading(heading: Heading) -> dict[str, Any]:
    fields = HEADING_FIELDS(heading)
    del fields["instrument"]["base_folder"]
    return fields


@pytest.mark.parametrize("fault", ["the head is lost", "a program left files of its own"])
def test_journals_are_read_whatever_is_beside_them(bench: Any, new_catalog: Sessions, fault: str) -> None:
    bench.write("microscope/a.dat", b"a")
    bench.harvest()
    (journal,) = (bench.archive / ".streamweave/journal").rglob("*.jsonl")
    if fault == "the head is lost":
        (journal.parent.parent / "head").unlink()
    for name in (f"._{journal.name}", f"{journal.stem} (conflicted copy).jsonl", ".DS_Store"):
        journal.with_name(name).write_bytes(b"\0\5\x16\7")
    rebuilt = rebuild(replace(bench.facility, sessions=new_catalog), [place(bench.location)])
    assert rebuilt.unread == []
    assert [each.illegible for each in rebuilt.readoptions] == [0]
    assert bench.with_facility(sessions=new_catalog).proofs() == bench.proofs()


def test_what_a_rebuild_could_not_read_it_reads_when_it_is_run_again(
    bench: Any, new_catalog: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = harvested(bench, tmp_path)
    facility = replace(bench.facility, sessions=new_catalog)
    read = FolderJournal.read

    def fails_below_the_mirror(journal: FolderJournal, name: str, offset: int = 0) -> Any:
        if offset == 0 and journal._base.path == tmp_path / "mirror" and name == max(journal.sizes()):
            raise StorageUnavailable("the server has gone")
        return read(journal, name, offset)

    with monkeypatch.context() as patched:
        patched.setattr(FolderJournal, "read", fails_below_the_mirror)
        named = place(mirror)
        named.name = "mirror"
        rebuilt = rebuild(facility, [place(bench.location), named])
    assert rebuilt.unread == [f"{mirror.base_path}: the server has gone"]
    after = bench.with_facility(sessions=new_catalog)
    assert after.proofs() < bench.proofs()
    again = rebuild(facility, [place(bench.location), place(mirror)])
    assert again.unread == []
    assert after.proofs() == bench.proofs()


def test_a_place_whose_journals_are_lost_is_named(bench: Any, new_catalog: Sessions, tmp_path: Path) -> None:
    bench.add_location("empty", tmp_path / "empty", scheduled=False)
    bench.write("microscope/a.dat", b"a")
    bench.harvest()
    shutil.rmtree(bench.archive / ".streamweave/journal")
    empty = StorageLocation(name="", type="posix", base_path=str(tmp_path / "empty"), connection_config={})
    rebuilt = rebuild(replace(bench.facility, sessions=new_catalog), [place(bench.location), empty])
    assert rebuilt.unread == [f"{bench.archive}: no journal says what the files there are"]


def test_two_places_of_one_name_come_back_under_two(bench: Any, new_catalog: Sessions, tmp_path: Path) -> None:
    mirror = harvested(bench, tmp_path)
    named = [place(bench.location), place(mirror)]
    for each in named:
        each.name = "archive"
    rebuild(replace(bench.facility, sessions=new_catalog), named)
    with new_catalog() as session:
        assert set(session.scalars(select(StorageLocation.name))) == {"archive", mirror.base_path}


@pytest.mark.parametrize("loss", ["a journal is missing", "a journal is shorter", "the catalog has a new identity"])
def test_what_no_journal_holds_any_more_is_noted_by_the_next_night(
    bench: Any, new_catalog: Sessions, loss: str
) -> None:
    for number in range(3):
        bench.write(f"microscope/{number}.dat", b"content")
    bench.harvest()
    (journal,) = (bench.archive / ".streamweave/journal").rglob("*.jsonl")
    bench.clock.wait(3 * 86_400)
    if loss == "a journal is missing":
        journal.unlink()
    elif loss == "a journal is shorter":
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:2]))
    else:
        with bench.facility.sessions.begin() as session:
            renew_identity(session)
            location = session.get_one(StorageLocation, bench.location.id)
            adopt_place(session, bench.facility.open_storage(location), location)
    noted = []
    for _ in range(2):
        sweep_archive(bench.facility)
        noted.append(sorted((bench.archive / ".streamweave/journal").rglob("*.jsonl")))
        bench.clock.wait(3 * 86_400)
    assert noted[0] == noted[1]
    assert readopt_everywhere(bench.facility) == []
    rebuild(replace(bench.facility, sessions=new_catalog), [place(bench.location)])
    after = bench.with_facility(sessions=new_catalog)
    assert {each[:9] for each in after.proofs()} == {each[:9] for each in bench.proofs()}
    assert len(after.proofs()) == 3
