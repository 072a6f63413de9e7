"""A new catalog from journals alone equals the old one in paths, versions, identifiers and hashes."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from streamweave.catalog.identity import catalog_id
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument, StorageLocation, VersionState
from streamweave.errors import Conflict, InvalidInput
from streamweave.fixity.nightly import sweep_archive
from streamweave.fixity.verification import verify_location
from streamweave.harvest.filtering import filter_files
from streamweave.journal.readoption import readopt_everywhere
from streamweave.journal.rebuilding import rebuild


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
    sweep_archive(bench.facility)
    rebuild(replace(bench.facility, sessions=new_catalog), [place(bench.location), place(mirror)])
    assert bench.with_facility(sessions=new_catalog).proofs() == bench.proofs()
    assert readopt_everywhere(bench.facility) == []
