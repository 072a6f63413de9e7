"""An older catalog under a newer archive: what was archived since comes back, with its identifiers and proofs."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from fakes.memory_source import Laboratory
from streamweave.catalog.tables import (
    Instrument,
    Readoption,
    Schedule,
    TransferStatus,
    VersionState,
)
from streamweave.files.resolving import _newest, _read
from streamweave.harvest import commit, run, transfer
from streamweave.journal import readoption
from streamweave.journal.readoption import readopt_everywhere
from streamweave.preservation.repair import repair_copies
from streamweave.preservation.sweep import sweep_tonight
from streamweave.preservation.verification import FindingKind, verify_location

Backup = Callable[[Any], Callable[[], Any]]
F, X1, X2, X3 = (f"microscope/{name}.dat" for name in ("f", "x1", "x2", "x3"))


def adopted(bench: Any) -> Readoption:
    with bench.facility.sessions() as session:
        return session.scalars(select(Readoption).order_by(Readoption.id.desc())).first()


def resolves(bench: Any, identifier: str) -> str:
    with bench.facility.sessions() as session:
        newest = _newest(session, _read(identifier))
        assert newest is not None
        return newest.file.source_path


def orphans(bench: Any) -> list[str]:
    report = verify_location(bench.facility, bench.location)
    assert report.trouble is None
    return [each.address for each in report.named]


def dies() -> None:
    raise SystemExit("killed")


def test_what_was_archived_since_a_backup_comes_back_with_its_identifiers_and_proofs(
    bench: Any, back_up: Backup
) -> None:
    bench.write(F, b"f v1")
    bench.harvest()
    restore = back_up(bench)
    bench.clock.wait(3600)
    for path, content in ((F, b"f v2"), (X1, b"x1"), (X2, b"x2"), (X3, b"x3")):
        bench.write(path, content)
    bench.harvest()
    before = bench.proofs()
    bench.clock.wait(3600)
    bench.laboratory.remove(X3)
    bench.write(F, b"f v3")
    bench.write(X2, b"x2 b")

    restored = restore()
    restored.harvest()

    now = restored.proofs()
    assert before <= now
    assert len(now - before) == 2
    assert restored.states() == dict.fromkeys((F, X1, X2, X3), VersionState.ARCHIVED)
    assert (restored.version(F).number, restored.version(X2).number) == (3, 2)
    assert restored.record(X3).gone_at is not None
    assert restored.record(X1).gone_at is None
    assert orphans(restored) == []
    assert (adopted(restored).files, adopted(restored).versions, adopted(restored).copies) == (3, 4, 4)
    assert adopted(restored).conflicts == []


def test_versions_that_a_backup_knew_as_pending_are_completed(bench: Any, back_up: Backup, tmp_path: Path) -> None:
    mirror = bench.add_location("mirror", tmp_path / "mirror")
    bench.write(X1, b"x1")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "transfer_files", lambda *_, **__: dies())
        with pytest.raises(SystemExit):
            bench.harvest()
    restore = back_up(bench)
    bench.harvest()
    before = bench.proofs()

    restored = restore()
    readopt_everywhere(restored.facility)

    assert restored.proofs() == before
    assert {each.storage_location_id for each in restored.transfers(X1)} == {bench.location.id, mirror.id}
    assert restored.version(X1).state == VersionState.ARCHIVED


def test_a_catalog_that_knows_everything_reads_no_journal(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write(X1, b"x1")
    bench.harvest()
    monkeypatch.setattr("streamweave.journal.readoption._Reading.run", lambda self: dies())
    assert readopt_everywhere(bench.facility) == []
    bench.write(X2, b"x2")
    bench.harvest()
    assert bench.version(X2).state == VersionState.ARCHIVED


@pytest.mark.parametrize("found_by", ["the same catalog", "an older one"])
def test_what_a_run_noted_that_died_before_cataloguing_is_taken_in(
    bench: Any, back_up: Backup, monkeypatch: pytest.MonkeyPatch, found_by: str
) -> None:
    bench.write(X1, b"x1")
    restore = back_up(bench)
    with monkeypatch.context() as patched:
        patched.setattr(commit, "catalogue", lambda *_: dies())
        with pytest.raises(SystemExit):
            bench.harvest()
    identifier = bench.record(X1).persistent_id
    after = bench if found_by == "the same catalog" else restore()
    after.harvest()
    assert after.states() == {X1: VersionState.ARCHIVED}
    assert after.record(X1).persistent_id == identifier
    assert [each.status for each in after.transfers(X1)] == [TransferStatus.COMPLETED]
    assert orphans(after) == []


def test_what_a_living_run_has_noted_and_not_catalogued_is_left_to_it(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(X1, b"x1")
    looked: list[Any] = []
    catalogue = commit.catalogue

    def somebody_looks_before(*arguments: Any) -> Any:
        looked.append(readopt_everywhere(bench.facility))
        return catalogue(*arguments)

    monkeypatch.setattr(commit, "catalogue", somebody_looks_before)
    bench.harvest()
    assert looked == [[]]
    assert bench.states() == {X1: VersionState.ARCHIVED}
    assert [each.status for each in bench.transfers(X1)] == [TransferStatus.COMPLETED]


@pytest.fixture
def spectrometer(bench: Any) -> Any:
    """A second instrument that is harvested into the same location."""
    laboratory = Laboratory(share="spectrometer")
    instrument = bench.add(
        Instrument(
            slug="spectrometer",
            name="Spectrometer",
            archive_folder="Spectrometer",
            cifs_host="spectrometer",
            cifs_share="spectrometer",
            quiet_period_seconds=5,
        )
    )
    schedule = {"cron_expression": "0 * * * *", "dagster_schedule_name": "harvest_spectrometer"}
    bench.add(Schedule(instrument_id=instrument.id, default_storage_location_id=bench.location.id, **schedule))
    other = bench.with_facility(open_source=lambda _: laboratory.source())
    return replace(other, instrument=instrument, laboratory=laboratory)


@pytest.mark.parametrize("clock_was_wrong", [False, True])
@pytest.mark.parametrize("found_by", ["a harvest", "verify"])
def test_what_a_run_noted_that_died_is_taken_in_although_another_was_the_last_to_write(
    bench: Any, spectrometer: Any, monkeypatch: pytest.MonkeyPatch, found_by: str, clock_was_wrong: bool
) -> None:
    if clock_was_wrong:
        today, bench.clock.time = bench.clock.time, datetime(2035, 1, 1, tzinfo=UTC)
        spectrometer.write("spectrometer/early.dat", b"early")
        spectrometer.harvest()
        bench.clock.time = today
    bench.write(X1, b"x1")
    with monkeypatch.context() as patched:
        patched.setattr(commit, "catalogue", lambda *_: dies())
        with pytest.raises(SystemExit):
            bench.harvest()
    with monkeypatch.context() as patched:  # as one that had opened the location before the other died
        patched.setattr(run, "readopt_everywhere", lambda *_: [])
        patched.setattr(transfer, "readopt", lambda *_: None)
        spectrometer.write("spectrometer/a.dat", b"a")
        spectrometer.harvest()
    assert readopt_everywhere(bench.facility) == []
    assert bench.states()[X1] != VersionState.ARCHIVED
    if found_by == "a harvest":
        spectrometer.write("spectrometer/b.dat", b"b")
        spectrometer.harvest()
    assert orphans(bench) == []
    assert bench.states()[X1] == VersionState.ARCHIVED


@pytest.mark.parametrize("year", [2000, 2035])
@pytest.mark.parametrize("before_the_backup", [True, False])
def test_a_journal_that_a_wrong_clock_dated_hides_no_other(
    bench: Any, back_up: Backup, year: int, before_the_backup: bool
) -> None:
    def harvest(path: str, when: datetime) -> None:
        bench.clock.time = when
        bench.write(path, path.encode())
        bench.harvest()

    today = bench.clock.time
    harvest(F, today)
    if before_the_backup:
        harvest(X1, datetime(year, 1, 1, tzinfo=UTC))
    restore = back_up(bench)
    if not before_the_backup:
        harvest(X1, datetime(year, 1, 1, tzinfo=UTC))
    harvest(X2, today + timedelta(days=5))
    harvest(X3, today + timedelta(days=10))
    restored = restore()
    restored.harvest()
    assert restored.proofs() == bench.proofs()
    assert len(restored.proofs()) == 4


def test_an_instrument_whose_name_was_taken_since_comes_back_under_another(bench: Any, back_up: Backup) -> None:
    restore = back_up(bench)
    bench.write(X1, b"x1")
    bench.harvest()
    restored = restore()
    with restored.facility.sessions.begin() as session:
        session.execute(Instrument.__table__.delete())  # the schedule goes with it
    restored.add(
        Instrument(slug="new", name="MICROSCOPE 01", archive_folder="New", cifs_host="new", cifs_share="microscope")
    )
    readopt_everywhere(restored.facility)
    assert restored.proofs() == bench.proofs()
    with restored.facility.sessions() as session:
        assert session.get_one(Instrument, bench.instrument.id).name == "Microscope 01 (microscope_01)"


def test_journals_of_one_location_that_can_not_be_taken_in_are_its_own_trouble(
    bench: Any, back_up: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mirror = bench.add_location("mirror", tmp_path / "mirror")
    restore = back_up(bench)
    bench.write(X1, b"x1")
    bench.harvest()
    restored = restore()
    take_in = readoption._Reading._write

    def fails_for_the_mirror(reading: Any) -> None:
        if reading._location_id == mirror.id:
            raise IntegrityError("INSERT", {}, Exception("taken"))
        take_in(reading)

    monkeypatch.setattr(readoption._Reading, "_write", fails_for_the_mirror)
    assert [each.location for each in readopt_everywhere(restored.facility)] == ["archive"]
    assert "mirror: its journals could not be read into the catalog" in caplog.text
    restored.write(X2, b"x2")
    (trouble,) = restored.harvest().troubles
    assert "mirror: its journals could not be read into the catalog" in str(trouble)
    assert {each.storage_location_id for each in restored.transfers(X2) if each.status == "completed"} == {
        bench.location.id
    }


def test_a_location_that_is_seen_late_leaves_both_identifiers_leading_to_the_file(
    bench: Any, back_up: Backup, tmp_path: Path
) -> None:
    restore = back_up(bench)
    bench.write(X1, b"x1")
    bench.harvest()
    bench.clock.wait(3600)
    bench.write(X1, b"x1 v2")
    bench.harvest()
    given_out, versions = bench.record(X1).persistent_id, bench.proofs()
    bench.clock.wait(3600)
    bench.archive.rename(tmp_path / "not mounted")
    bench.write(X1, b"x1 v3")
    restored = restore()
    restored = restored.with_facility(mint_identifier=lambda: "ark:/99999/fk4another")
    restored.change(bench.location, enabled=False)
    restored.harvest()
    assert restored.record(X1).persistent_id == "ark:/99999/fk4another"

    (tmp_path / "not mounted").rename(bench.archive)
    restored.change(bench.location, enabled=True)
    restored.harvest()

    assert resolves(restored, given_out) == resolves(restored, "ark:/99999/fk4another") == X1
    assert restored.record(X1).persistent_id == given_out
    assert restored.version(X1).number == 3
    report = verify_location(restored.facility, restored.location)
    assert report.journal_conflicts is not None
    assert "has two identifiers now" in report.journal_conflicts.named[0]
    assert {each[9] for each in versions} < {each[9] for each in restored.proofs()}
    assert bench.archived() == {
        "Microscope 01/microscope/x1.dat": b"x1",
        "Microscope 01/microscope/x1~v2.dat": b"x1 v2",
        "Microscope 01/microscope/x1~v3.dat": b"x1 v3",
    }
    assert orphans(restored) == []
    assert "has two identifiers now" in adopted(restored).conflicts[0]


def test_a_torn_line_is_told_and_loses_nothing_else(bench: Any, back_up: Backup) -> None:
    restore = back_up(bench)
    bench.write(X1, b"x1")
    bench.write(X2, b"x2")
    bench.harvest()
    (journal,) = (bench.archive / ".streamweave/journal").rglob("*.jsonl")
    with journal.open("ab") as file:
        file.write(journal.read_bytes().splitlines()[-1][:100])
    restored = restore()
    restored.harvest()
    assert restored.proofs() == bench.proofs()
    assert adopted(restored).illegible == 1


def test_an_instrument_that_the_backup_did_not_know_comes_back_disabled(bench: Any, back_up: Backup) -> None:
    restore = back_up(bench)
    bench.write(X1, b"x1")
    bench.harvest()
    restored = restore()
    with restored.facility.sessions.begin() as session:
        session.execute(Instrument.__table__.delete())  # the schedule goes with it
    (found,) = readopt_everywhere(restored.facility)
    assert restored.proofs() == bench.proofs()
    assert found.instruments == ["microscope_01"]
    with restored.facility.sessions() as session:
        instrument = session.scalars(select(Instrument)).one()
    assert (instrument.id, instrument.enabled, instrument.cifs_share) == (bench.instrument.id, False, "microscope")


def test_an_old_archive_under_a_newer_catalog_is_told_and_repaired(bench: Any, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        bench.write(f"microscope/{name}.dat", name.encode())
    bench.harvest()
    shutil.copytree(bench.archive, tmp_path / "copy")
    bench.clock.wait(3600)
    bench.write("microscope/late.dat", b"late")
    bench.harvest()
    shutil.rmtree(bench.archive)
    (tmp_path / "copy").rename(bench.archive)
    bench.clock.wait(3600)

    assert readopt_everywhere(bench.facility) == []
    (missing,) = verify_location(bench.facility, bench.location).named
    assert (missing.kind, missing.source_path) == (FindingKind.MISSING, "microscope/late.dat")
    bench.clock.wait(3600)
    sweep_tonight(bench.facility, bench.location)
    report = repair_copies(bench.facility, bench.instrument)
    assert report.failed == []
    assert len(report.repaired) == 1
    assert verify_location(bench.facility, bench.location).counts.total() == 0
    assert b"late" in bench.archived().values()


def test_a_repair_that_the_backup_does_not_know_takes_the_place_of_the_damaged_copy(
    bench: Any, back_up: Backup
) -> None:
    for name in ("a", "b", "c"):
        bench.write(f"microscope/{name}.dat", name.encode())
    bench.harvest()
    restore = back_up(bench)
    copy = bench.archive / "Microscope 01/microscope/a.dat"
    copy.chmod(0o640)
    copy.write_bytes(b"x")
    bench.clock.wait(3600)
    sweep_tonight(bench.facility, bench.location)
    repair_copies(bench.facility, bench.instrument)
    before = bench.proofs()

    restored = restore()
    restored.harvest()

    assert restored.proofs() == before
    assert [each.status for each in restored.transfers("microscope/a.dat")] == ["damaged", "completed"]
