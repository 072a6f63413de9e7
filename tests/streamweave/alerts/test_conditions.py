"""What is wrong, asked of a real catalog."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func

from streamweave.alerts.storage_conditions import Space, is_nearly_full
from streamweave.catalog.tables import (
    AlertKind,
    FixityHold,
    FixitySweep,
    Instrument,
    Readoption,
    Scan,
    ScanOutcome,
    StorageLocation,
    VersionState,
)

GIB = 1 << 30


def test_nothing_is_wrong_with_a_facility_at_work(tower: Any, microscope: Instrument) -> None:
    tower.discover(microscope, state=VersionState.ARCHIVED)
    tower.look(microscope)
    assert tower.wrong() == []


def test_files_that_need_a_person_are_one_condition_for_each_instrument(tower: Any, microscope: Instrument) -> None:
    tower.look(tower.add_instrument("Spectrometer 01"))
    tower.discover(microscope, "first.csv", VersionState.OVERDUE, reason="it grows and grows")
    tower.wait(minutes=1)
    for number in range(20):
        tower.discover(microscope, f"{number:02}.csv", VersionState.FAILED, reason="denied")
    for state in (VersionState.SETTLING, VersionState.VANISHED, VersionState.SKIPPED):
        tower.discover(microscope, state=state)
    tower.look(microscope)
    (condition,) = tower.wrong()
    assert condition.kind == "overdue_files"
    assert condition.sentence == (
        "21 files of Microscope 01 need attention (20 failed, 1 overdue); "
        "the longest waiting, share/first.csv, since 2026-03-02 12:00 UTC: it grows and grows"
    )
    assert condition.details["counts"] == {"failed": 20, "overdue": 1}
    assert [file["path"] for file in condition.details["files"]][:2] == ["share/first.csv", "share/00.csv"]
    assert len(condition.details["files"]) == 10


def test_what_a_deleted_instrument_left_is_nobodys_business(tower: Any, microscope: Instrument) -> None:
    tower.discover(microscope, state=VersionState.FAILED)
    tower.change(microscope, deleted_at=tower.time)
    assert tower.wrong() == []


def test_a_share_that_fails_for_a_moment_alarms_nobody(tower: Any, microscope: Instrument) -> None:
    tower.look(microscope)
    for _ in range(14):
        tower.wait(minutes=1)
        tower.fail(microscope)
    assert tower.wrong() == []
    tower.wait(minutes=1)
    tower.look(microscope)
    tower.wait(minutes=10)
    tower.fail(microscope)
    assert tower.wrong() == []


def test_a_share_that_goes_on_failing_does(tower: Any, microscope: Instrument) -> None:
    tower.look(microscope)
    for _ in range(17):
        tower.wait(minutes=1)
        tower.fail(microscope, message="pc does not answer")
    (condition,) = tower.wrong()
    assert condition.sentence == "The share of Microscope 01 can't be scanned: pc does not answer"
    assert condition.details["error_kind"] == "source_unreachable"
    tower.look(microscope, ScanOutcome.PARTIAL)
    assert tower.wrong() == []


def test_a_refused_password_is_reported_at_once(tower: Any, microscope: Instrument) -> None:
    tower.look(microscope)
    tower.wait(minutes=1)
    tower.fail(microscope, "credentials_refused", "wrong password")
    assert tower.kinds() == ["failing_share"]
    tower.wait(minutes=59)
    assert tower.kinds() == ["failing_share"], "nobody looks meanwhile, and that is as it should be"


def test_a_share_that_has_shrunk_is_reported_at_once(tower: Any, microscope: Instrument) -> None:
    tower.look(microscope, ScanOutcome.SUSPECT, error_kind="suspect_listing", error_message="the share is empty")
    (condition,) = tower.wrong()
    assert condition.sentence == "The share of Microscope 01 is implausible: the share is empty"


def test_a_look_that_is_under_way_says_nothing(tower: Any, microscope: Instrument) -> None:
    tower.fail(microscope, "credentials_refused", "wrong password")
    tower.wait(minutes=1)
    tower.look(microscope, ScanOutcome.RUNNING, finished_at=None)
    assert tower.kinds() == ["failing_share"]


def test_a_disabled_instrument_is_left_alone(tower: Any) -> None:
    resting = tower.add_instrument("Microscope 02", enabled=False, silence_alert_after_seconds=1)
    tower.fail(resting, "credentials_refused", "wrong password")
    tower.wait(days=100)
    assert tower.wrong() == []


def test_a_share_at_which_nobody_looks_is_told(tower: Any, microscope: Instrument) -> None:
    tower.look(microscope)
    tower.wait(minutes=11)
    assert tower.wrong() == []
    tower.wait(minutes=1)
    (condition,) = tower.wrong()
    assert condition.kind == "unwatched_share"
    assert "The share of Microscope 01 has not been scanned since 2026-03-02 12:00 UTC" in condition.sentence


def test_while_we_were_away_nobody_could_look(tower: Any, microscope: Instrument) -> None:
    tower.look(microscope)
    tower.wait(days=3)
    assert tower.kinds(watching_since=tower.time - timedelta(minutes=11)) == []
    assert tower.kinds(watching_since=tower.time - timedelta(minutes=12)) == ["unwatched_share"]


@pytest.fixture
def worker(tower: Any) -> Instrument:
    """An instrument that has brought a file at noon of each day for weeks, and is looked at."""
    instrument: Instrument = tower.add_instrument("Worker", timezone="Europe/Berlin")
    tower.wait(days=-29)
    for _ in range(30):
        tower.discover(instrument)
        tower.discover(instrument)
        tower.wait(days=1)
    tower.wait(days=-1)
    tower.look(instrument)
    return instrument


def test_an_instrument_is_silent_when_it_brings_nothing_for_longer_than_is_usual(
    tower: Any, worker: Instrument
) -> None:
    tower.wait(hours=36)
    tower.look(worker)
    assert tower.kinds() == []
    tower.wait(hours=1)
    tower.look(worker)
    (condition,) = tower.wrong()
    assert condition.sentence == (
        "Worker has brought no new file since 2026-03-02 12:00 UTC; more than 1.5 working days are unusual for it"
    )
    tower.wait(days=1000)
    tower.look(worker)
    assert tower.kinds() == ["silent_instrument"], "what was learned is not forgotten"
    tower.discover(worker)
    assert tower.kinds() == []


def test_a_person_knows_better_when_an_instrument_is_silent(tower: Any, worker: Instrument) -> None:
    tower.change(worker, silence_alert_after_seconds=3600)
    tower.wait(hours=2)
    tower.look(worker)
    assert tower.kinds() == ["silent_instrument"]
    tower.change(worker, silence_alert_after_seconds=0)
    tower.wait(days=100)
    tower.look(worker)
    assert tower.kinds() == []


def test_a_new_instrument_that_brings_nothing_is_silent_only_if_somebody_said_when(
    tower: Any, microscope: Instrument
) -> None:
    tower.look(microscope)
    assert tower.kinds() == []
    tower.change(microscope, silence_alert_after_seconds=86_400)
    assert tower.kinds() == ["silent_instrument"]


def test_an_instrument_whose_share_fails_may_well_have_new_files(tower: Any, worker: Instrument) -> None:
    tower.wait(days=7)
    tower.look(worker)
    assert tower.kinds() == ["silent_instrument"]
    tower.wait(minutes=1)
    tower.fail(worker, "credentials_refused", "wrong password")
    assert tower.kinds() == ["failing_share"]


def test_after_an_outage_of_ours_nobody_is_silent_before_it_was_looked_at(tower: Any, worker: Instrument) -> None:
    tower.wait(days=7)
    assert "silent_instrument" not in tower.kinds(watching_since=tower.time)
    tower.look(worker, started_at=tower.time)
    assert tower.kinds(watching_since=tower.time) == ["silent_instrument"]


def test_damage_is_told_until_an_intact_copy_stands_beside_it(tower: Any, microscope: Instrument) -> None:
    archive = tower.add_location()
    damaged = tower.discover(microscope, "a.csv", VersionState.ARCHIVED)
    tower.transfer(
        tower.discover(microscope, "b.csv", VersionState.ARCHIVED), archive, "completed", destination_path="b"
    )
    copy = tower.transfer(damaged, archive, "completed", destination_path="a", damage="it is no longer there")
    tower.look(microscope)
    (condition,) = tower.wrong()
    assert condition.sentence == (
        "1 archived copy of Microscope 01 is damaged, the first in Archive: share/a.csv: it is no longer there"
    )
    tower.change(copy, status="failed")
    assert tower.kinds() == ["damaged_copies"]
    tower.transfer(damaged, archive, "completed", destination_path="a~repaired")
    assert tower.wrong() == []


def test_a_repaired_copy_that_is_damaged_in_turn_is_one_damaged_copy(tower: Any, microscope: Instrument) -> None:
    archive = tower.add_location()
    version = tower.discover(microscope, "a.csv", VersionState.ARCHIVED)
    tower.transfer(version, archive, "damaged", destination_path="a", damage="other bytes")
    tower.transfer(version, archive, "completed", destination_path="a~v1r1", damage="it is no longer there")
    tower.look(microscope)
    (condition,) = tower.wrong()
    assert condition.details["copies"] == 1


@pytest.fixture
def archive(tower: Any, microscope: Instrument) -> StorageLocation:
    """A location that holds a copy."""
    location: StorageLocation = tower.add_location()
    version = tower.discover(microscope, "a.csv", VersionState.ARCHIVED)
    tower.transfer(version, location, "completed", destination_path="a")
    tower.look(microscope)
    return location


def swept(tower: Any, location: StorageLocation, trouble: str | None) -> FixitySweep:
    tower.wait(minutes=1)
    times = {"started_at": tower.time, "finished_at": tower.time}
    sweep: FixitySweep = tower.add(FixitySweep(storage_location_id=location.id, trouble=trouble, **times))
    return sweep


def test_a_sweep_that_can_not_do_its_work_is_told_until_one_can(tower: Any, archive: StorageLocation) -> None:
    swept(tower, archive, "the disk does not answer")
    (condition,) = tower.wrong()
    assert condition.sentence == "The last nightly sweep over Archive had trouble: the disk does not answer"
    swept(tower, archive, None)
    assert tower.wrong() == []


def test_a_location_that_is_held_is_told_until_a_person_releases_it(tower: Any, archive: StorageLocation) -> None:
    sweep = swept(tower, archive, "9 copies are damaged")
    hold = tower.add(
        FixityHold(
            storage_location_id=archive.id, sweep_id=sweep.id, held_at=tower.time, because="9 copies are damaged"
        )
    )
    (condition,) = tower.wrong()
    assert condition.sentence == "Archive is held since 2026-03-02 12:01 UTC: 9 copies are damaged"
    assert (condition.kind, condition.subject_id) == (AlertKind.UNPROVEN_STORAGE, archive.id)
    tower.change(hold, released_at=tower.time)
    assert tower.wrong() == []


def test_hooks_that_do_not_cope_for_an_hour_are_told(tower: Any, microscope: Instrument) -> None:
    retry = tower.time + timedelta(minutes=1)
    undecided = tower.discover(microscope, reason="hook Filter: it burns", retry_at=retry)
    tower.discover(microscope, reason="no schedule names a storage location")
    tower.discover(microscope, state=VersionState.ARCHIVED, archived_at=tower.time, enrichment_error="hook Owner: gone")
    tower.wait(minutes=59)
    tower.look(microscope)
    assert tower.wrong() == []
    tower.wait(minutes=1)
    (condition,) = tower.wrong()
    assert condition.sentence == (
        "Hooks fail for files of Microscope 01: 1 file undecided since 2026-03-02 12:00 UTC: hook Filter: "
        "it burns; 1 file not enriched since 2026-03-02 12:00 UTC: hook Owner: gone"
    )
    tower.change(undecided, state=VersionState.SKIPPED, retry_at=None)
    assert tower.wrong()[0].details == {"not_enriched": {"files": 1, "reason": "hook Owner: gone"}}


def waiting_for_storage(tower: Any, instrument: Instrument, kind: str, attempt: int = 1) -> Any:
    archive, version = tower.add_location(), tower.discover(instrument, state=VersionState.PENDING)
    failed = {"attempt": attempt, "error_kind": kind, "error_message": "no space left", "completed_at": tower.time}
    tower.transfer(version, archive, "failed", **failed)
    tower.look(instrument)
    return tower.transfer(version, archive, "pending", attempt=attempt + 1)


def test_a_location_that_was_busy_for_a_moment_alarms_nobody(tower: Any, microscope: Instrument) -> None:
    waiting = waiting_for_storage(tower, microscope, "storage_unavailable")
    assert tower.wrong() == []
    tower.wait(minutes=10)
    (condition,) = tower.wrong()
    assert condition.sentence == "Archive takes no files: 1 transfer failed there and waits: no space left"
    assert (condition.subject_type, condition.details["waiting"]) == ("storage_locations", 1)
    tower.change(waiting, status="completed", checksum_verified=True, completed_at=tower.time)
    assert tower.wrong() == []


@pytest.mark.parametrize(("kind", "attempt"), [("storage_refused", 1), ("storage_unavailable", 3)])
def test_a_location_that_refuses_us_or_fails_again_and_again_does(
    tower: Any, microscope: Instrument, kind: str, attempt: int
) -> None:
    waiting_for_storage(tower, microscope, kind, attempt)
    assert tower.kinds() == ["full_storage"]


def test_what_waits_because_of_its_share_says_nothing_about_the_storage(tower: Any, microscope: Instrument) -> None:
    waiting_for_storage(tower, microscope, "source_unreachable", 7)
    tower.wait(minutes=11)
    assert tower.kinds() == []


def test_a_location_that_is_nearly_full_is_told_in_figures(tower: Any) -> None:
    archive = tower.add_location()
    (condition,) = tower.wrong(spaces={archive.id: Space(1000 * GIB, 10 * GIB)})
    assert condition.sentence == "Archive is nearly full: 10.7 GB (1.0%) are free at s3://archive"
    assert condition.details == {"free_bytes": 10 * GIB, "total_bytes": 1000 * GIB}


@pytest.mark.parametrize(
    ("total", "free", "expected"), [(1000, 49, True), (1000, 51, False), (10_000, 101, False), (10, 1, False)]
)
def test_a_location_is_nearly_full_when_little_is_left_as_a_share_and_in_bytes(
    total: int, free: int, expected: bool
) -> None:
    assert is_nearly_full(Space(total * GIB, free * GIB)) == expected


def test_what_journals_and_catalog_say_differently_is_told_for_two_weeks(tower: Any) -> None:
    archive = tower.add_location()
    found = {"files": 0, "versions": 0, "copies": 0, "illegible": 2, "conflicts": ["share/a: has two identifiers"]}
    tower.add(Readoption(storage_location_id=archive.id, read_at=tower.time, **found))
    tower.add(
        Readoption(storage_location_id=archive.id, read_at=tower.time, **{**found, "illegible": 0, "conflicts": []})
    )
    (condition,) = tower.wrong()
    assert (condition.kind, condition.subject_id) == (AlertKind.CONFLICTING_JOURNALS, archive.id)
    assert condition.sentence == (
        "Archive: its journals, read on 2026-03-02 12:00 UTC, hold conflicts with the catalog (1), the first: share/a: "
        "has two identifiers and lines that could not be read (2). `streamweave verify 'Archive'` names them all, for "
        "14 days"
    )
    tower.evaluate()
    tower.wait(days=14)
    assert tower.wrong() == []


DENIED = {"share/closed": "the account may not read it"}
UNLISTED = {"unreadable_folders": 1, "unlisted_folders": list(DENIED), "unlisted_reasons": DENIED}


def test_a_folder_that_could_not_be_listed_for_a_moment_alarms_nobody(tower: Any, microscope: Instrument) -> None:
    tower.look(microscope, **UNLISTED)
    tower.wait(minutes=10)
    tower.look(microscope, **UNLISTED)
    assert tower.wrong() == []


def test_a_folder_that_can_not_be_listed_is_told_by_name_and_reason(tower: Any, microscope: Instrument) -> None:
    for _ in range(3):
        tower.look(microscope, **UNLISTED)
        tower.wait(minutes=10)
    tower.look(microscope, ScanOutcome.PARTIAL)  # it has not come to that folder
    (condition,) = tower.wrong()
    assert condition.kind == AlertKind.UNLISTED_FOLDERS
    assert condition.sentence == (
        "On the share of Microscope 01 1 folder could not be listed: share/closed (the account may not read it)"
    )
    assert condition.details["first"] == DENIED


def test_it_is_over_when_every_folder_can_be_listed_again(tower: Any, microscope: Instrument) -> None:
    tower.look(microscope, **UNLISTED)
    tower.wait(minutes=20)
    tower.look(microscope, **UNLISTED)
    assert tower.kinds() == ["unlisted_folders"]
    tower.look(microscope)
    assert tower.wrong() == []


def test_a_killed_look_at_a_share_that_nobody_looks_at_again_is_ended_by_the_watch(
    tower: Any, microscope: Instrument
) -> None:
    started = {"started_at": tower.time, "heartbeat_at": func.now() - timedelta(minutes=1)}
    tower.add(Scan(instrument_id=microscope.id, **started))
    tower.evaluate()
    (scan,) = tower.all(Scan)
    assert (scan.outcome, scan.error_kind) == (ScanOutcome.FAILED, "interrupted")
