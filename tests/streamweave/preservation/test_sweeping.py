"""A sweep re-reads copies in turn, tells damage from a location in trouble, and puts all of it on record."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from streamweave.catalog.tables import FixityOutcome, Instrument
from streamweave.errors import StorageError
from streamweave.instruments.instruments import delete_instrument
from streamweave.preservation import reread, sweep
from streamweave.preservation.report import SweepReport, fixity_state_of_instrument
from streamweave.preservation.sweep import sweep_completely, sweep_tonight


def test_an_intact_archive_passes_and_remembers_when(archive: Any) -> None:
    report = archive.sweep()
    assert (report.files, report.bytes, report.damaged, report.warnings()) == (8, 80, [], "")
    assert archive.checks() == [("intact", None)] * 8
    assert archive.transfer(0).last_verified_at == archive.bench.clock.time


def test_changed_shortened_and_lost_copies_are_damaged(archive: Any) -> None:
    archive.damage(0)
    archive.copy_of(1).write_bytes(b"012345678")
    archive.copy_of(2).unlink()
    report = archive.sweep()
    assert {damage.source_path: damage.outcome for damage in report.damaged} == {
        "microscope/0.csv": FixityOutcome.DAMAGED,
        "microscope/1.csv": FixityOutcome.DAMAGED,
        "microscope/2.csv": FixityOutcome.MISSING,
    }
    assert archive.damaged() == {"0.csv": "damaged", "1.csv": "damaged", "2.csv": "damaged"}
    assert archive.transfer(2).damage == "it is no longer there"
    assert archive.transfer(2).damage_found_at == archive.bench.clock.time
    assert [outcome for outcome, _ in archive.checks()].count("intact") == 5


def test_what_was_given_up_is_not_read_again(archive: Any) -> None:
    archive.damage(0)
    archive.sweep()
    assert archive.sweep().files == 7


def test_a_location_that_is_not_there_damages_nothing(archive: Any) -> None:
    archive.bench.archive.rename(archive.bench.archive.with_name("unmounted"))
    archive.bench.archive.mkdir()
    report = archive.sweep()
    assert (report.files, report.damaged, archive.damaged(), archive.checks()) == (0, [], {}, [])
    assert report.trouble is not None
    assert "Is the disk mounted?" in str(report.trouble)


def test_a_file_that_alone_can_not_be_read_is_damaged(archive: Any, unreadable: set[str]) -> None:
    unreadable.add("3.csv")
    report = archive.sweep()
    (damage,) = report.damaged
    assert (damage.outcome, report.trouble) == (FixityOutcome.UNREADABLE, None)
    assert "Input/output error" in damage.found
    assert archive.damaged() == {"3.csv": "damaged"}


def test_a_file_that_we_are_refused_is_damaged(archive: Any) -> None:
    copy = archive.copy_of(3)
    copy.unlink()
    copy.mkdir()
    (damage,) = archive.sweep().damaged
    assert damage.outcome == FixityOutcome.UNREADABLE


def test_a_file_that_can_be_read_at_the_second_try_is_intact(archive: Any, unreadable: set[str]) -> None:
    unreadable.add("3.csv")
    archive.bench.clock.while_waiting.append(unreadable.clear)
    assert archive.sweep().damaged_files == 0


def test_when_nothing_can_be_read_the_location_is_in_trouble(archive: Any, unreadable: set[str]) -> None:
    unreadable.add("*")
    report = archive.sweep()
    assert (report.files, archive.damaged(), archive.checks()) == (0, {}, [])
    assert isinstance(report.trouble, StorageError)


def test_a_location_that_fails_while_some_are_tried_again_damages_nothing(archive: Any, unreadable: set[str]) -> None:
    unreadable.add("3.csv")
    archive.bench.clock.while_waiting.append(lambda: unreadable.add("*"))
    assert archive.sweep().trouble is not None
    assert archive.damaged() == {}


def test_copies_of_a_deleted_instrument_are_re_read_too(archive: Any) -> None:
    archive.damage(0)
    with archive.bench.facility.sessions.begin() as session:
        delete_instrument(session, session.query(Instrument).one().id)
    assert archive.sweep().damaged_files == 1


def test_a_killed_sweep_is_gone_on_with(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "BATCH_FILES", 3)

    def die(report: SweepReport, _: object) -> None:
        if report.files == 6:
            raise KeyboardInterrupt

    archive.bench.clock.time += timedelta(minutes=1)
    with pytest.raises(KeyboardInterrupt):
        sweep_tonight(archive.bench.facility, archive.bench.location, on_batch=die)
    assert len(archive.checks()) == 6
    unread = {number for number in range(8) if archive.transfer(number).last_verified_at < archive.bench.clock.time}
    archive.sweep()
    first_after = archive.checks()[6:8]
    assert (len(unread), len(first_after)) == (2, 2)
    with archive.bench.facility.sessions() as session:
        ids = session.scalars(text("SELECT transfer_id FROM fixity_checks ORDER BY checked_at, id OFFSET 6 LIMIT 2"))
        assert set(ids) == {archive.transfer(number).id for number in unread}


def test_two_sweeps_at_once_find_the_same(archive: Any) -> None:
    archive.damage(0, 1)
    archive.bench.clock.time += timedelta(minutes=1)
    found = []

    def sweep_beside(_: SweepReport, __: object) -> None:
        found.append(sweep_tonight(archive.bench.facility, archive.bench.location).damaged_files)

    outer = sweep_tonight(archive.bench.facility, archive.bench.location, on_batch=sweep_beside)
    assert (outer.damaged_files, archive.damaged()) == (2, {"0.csv": "damaged", "1.csv": "damaged"})


def test_a_night_reads_its_share_and_the_next_goes_on(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reread, "LEAST_WORK", reread.work_of(2, 20))
    read: list[int] = []
    for _ in range(4):
        read.append(archive.sweep(days=1).files)
    assert read == [2, 2, 2, 2]
    oldest = min(archive.transfer(number).last_verified_at for number in range(8))
    assert oldest == archive.bench.clock.time - timedelta(days=3)


def test_what_is_due_is_read_in_any_case(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reread, "LEAST_WORK", 1)
    assert archive.sweep(days=1).files == 1
    assert archive.sweep(days=88).files == 8


def test_what_was_never_read_here_is_read_first_however_small_the_share(
    archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reread, "LEAST_WORK", 1)
    never = [archive.transfer(number) for number in (3, 6)]
    for transfer in never:
        archive.bench.change(transfer, last_verified_at=None, dest_checksum=None)
    with archive.bench.facility.sessions() as session:
        standing = fixity_state_of_instrument(session, archive.bench.instrument.id, archive.bench.clock.now())
    assert standing.sentence().startswith("8 copies, 2 never re-read, all others re-read since ")
    assert archive.sweep().files == 2
    assert all(archive.transfer(number).last_verified_at == archive.bench.clock.time for number in (3, 6))


def test_an_interval_that_is_missed_is_told(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reread, "LEAST_WORK", 1)
    monkeypatch.setattr(sweep, "LONGEST_NIGHT", timedelta(0))
    report = archive.sweep(days=91)
    assert report.missed.startswith("the interval of 90 days is being missed: 8 copies were not re-read in the last")
    assert "nights" in report.missed


def test_a_complete_sweep_reads_everything_and_marks_nothing(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reread, "LEAST_WORK", 1)
    monkeypatch.setattr(sweep, "BATCH_FILES", 3)
    archive.damage(0)
    archive.bench.clock.time += timedelta(minutes=1)
    report = sweep_completely(archive.bench.facility, archive.bench.location)
    assert (report.files, report.damaged_files) == (8, 1)
    assert archive.damaged() == {"0.csv": "completed"}


@pytest.mark.parametrize(
    "change", ["UPDATE fixity_checks SET outcome = 'intact', found = NULL", "DELETE FROM fixity_checks"]
)
def test_nobody_can_change_what_was_found(archive: Any, change: str) -> None:
    archive.sweep()
    with archive.bench.facility.sessions() as session, pytest.raises(ProgrammingError, match="append-only"):
        session.execute(text(change))
