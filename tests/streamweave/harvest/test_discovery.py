"""Discovery over a real catalog: what a look at a share puts on record."""

from typing import Any

import pytest
from sqlalchemy import select

from streamweave.catalog.tables import Scan, ScanOutcome, VersionState
from streamweave.errors import ShareDenied, SourceUnreachable
from streamweave.harvest.scan import discover


def scans(bench: Any) -> list[Scan]:
    with bench.facility.sessions() as session:
        return list(session.scalars(select(Scan).order_by(Scan.started_at)))


def test_a_new_file_gets_its_identifier_before_any_copy(bench: Any) -> None:
    bench.write("microscope/a.csv")

    discover(bench.facility, bench.instrument)

    assert bench.record("microscope/a.csv").persistent_id.startswith("ark:/99999/fk4")
    assert bench.states() == {"microscope/a.csv": VersionState.SETTLING}


def test_a_look_is_on_record_with_what_it_saw(bench: Any) -> None:
    bench.write("microscope/user_a/a.csv", b"12345")
    bench.write("microscope/b.csv", b"123")

    sighting = discover(bench.facility, bench.instrument)

    [scan] = scans(bench)
    assert (scan.outcome, scan.folders, scan.files, scan.bytes, scan.new_files) == ("complete", 2, 2, 8, 2)
    assert sighting.sentence() == "2 files in 2 folders: 2 new, 0 changed"


def test_a_share_that_can_not_be_looked_at_differs_from_one_with_nothing_new(bench: Any) -> None:
    bench.laboratory.unreachable = SourceUnreachable("microscope-01:445 does not answer")

    with pytest.raises(SourceUnreachable):
        discover(bench.facility, bench.instrument)

    [scan] = scans(bench)
    assert (scan.outcome, scan.error_kind) == (ScanOutcome.FAILED, "source_unreachable")
    assert scan.error_message == "microscope-01:445 does not answer"


def test_a_rescan_of_an_unchanged_share_writes_nothing_about_files(bench: Any) -> None:
    bench.write("microscope/a.csv")
    bench.harvest()
    before = bench.version("microscope/a.csv")

    sighting = discover(bench.facility, bench.instrument)

    assert (sighting.new_files, sighting.changed_files, sighting.gone_files) == (0, 0, 0)
    assert bench.version("microscope/a.csv").observed_at == before.observed_at


def test_an_empty_listing_concludes_nothing(bench: Any) -> None:
    bench.write("microscope/a.csv")
    bench.harvest()
    bench.laboratory.files.clear()

    sighting = discover(bench.facility, bench.instrument)

    assert sighting.outcome == ScanOutcome.SUSPECT
    assert "empty" in str(sighting.error_message)
    assert bench.record("microscope/a.csv").gone_at is None


def test_a_listing_that_shrank_far_below_what_is_known_concludes_nothing_but_records_what_is_new(bench: Any) -> None:
    for number in range(20):
        bench.write(f"microscope/{number:02}.csv")
    bench.harvest()
    bench.laboratory.files.clear()
    bench.write("microscope/new.csv")

    sighting = discover(bench.facility, bench.instrument)

    assert sighting.outcome == ScanOutcome.SUSPECT
    assert bench.record("microscope/00.csv").gone_at is None
    assert bench.states()["microscope/new.csv"] == VersionState.SETTLING


def test_an_instrument_may_accept_any_listing(bench: Any) -> None:
    bench.write("microscope/a.csv")
    bench.harvest()
    bench.change(bench.instrument, shrink_threshold=0.0)
    bench.laboratory.files.clear()

    assert discover(bench.facility, bench.instrument).gone_files == 1
    assert bench.record("microscope/a.csv").gone_at is not None


def test_whole_folders_that_are_gone_are_noticed(bench: Any) -> None:
    for number in range(10):
        bench.write(f"microscope/stays/{number}.csv")
    bench.write("microscope/goes/deep/a.csv")
    bench.harvest()
    bench.laboratory.remove("microscope/goes/deep/a.csv")

    assert discover(bench.facility, bench.instrument).gone_files == 1


def test_nothing_is_concluded_about_a_folder_that_can_not_be_listed_nor_about_what_is_below_it(bench: Any) -> None:
    bench.write("microscope/open/a.csv")
    bench.write("microscope/closed/deep/b.csv")
    bench.harvest()
    bench.laboratory.listing_faults["microscope/closed"] = ShareDenied("microscope/closed may not be listed")

    sighting = discover(bench.facility, bench.instrument)

    assert (sighting.outcome, sighting.unreadable_folders, sighting.gone_files) == ("complete", 1, 0)
    assert bench.record("microscope/closed/deep/b.csv").gone_at is None


def test_a_file_that_vanished_and_came_back_settles_anew(bench: Any) -> None:
    bench.write("microscope/stays.csv")
    bench.write("microscope/a.csv")
    discover(bench.facility, bench.instrument)
    file = bench.laboratory.files.pop("microscope/a.csv")
    bench.clock.wait(1)
    discover(bench.facility, bench.instrument)
    assert bench.version("microscope/a.csv").state == VersionState.VANISHED

    bench.laboratory.files["microscope/a.csv"] = file
    bench.harvest()

    assert bench.version("microscope/a.csv").state == VersionState.ARCHIVED
    assert bench.record("microscope/a.csv").gone_at is None


def test_a_look_ends_when_its_time_is_over_with_all_that_it_saw_on_record(bench: Any) -> None:
    bench.write("microscope/first.csv")
    for number in range(300):
        bench.write(f"microscope/folder_{number:03}/a.csv")

    sighting = discover(bench.facility, bench.instrument, budget_seconds=0.0)

    assert sighting.outcome == ScanOutcome.PARTIAL
    assert 0 < sighting.folders < 301
    assert len(bench.states()) == sighting.new_files


def test_a_file_from_a_clock_that_runs_ahead_falls_on_today_with_its_skew_on_record(bench: Any) -> None:
    from datetime import timedelta

    bench.laboratory.write("microscope/a.csv", b"1", bench.clock.time + timedelta(days=400))

    discover(bench.facility, bench.instrument)

    version = bench.version("microscope/a.csv")
    assert version.acquisition_day == bench.clock.time.date()
    assert version.clock_skew_seconds == pytest.approx(400 * 86_400)


def test_paths_longer_than_an_index_entry_are_known_again(bench: Any) -> None:
    path = "microscope/" + "/".join(["длинный" * 30] * 20) + "/a.csv"
    bench.write(path)

    discover(bench.facility, bench.instrument)

    assert discover(bench.facility, bench.instrument).new_files == 0
    assert list(bench.states()) == [path]


def test_a_folder_that_can_not_be_listed_does_not_switch_the_guard_off(bench: Any) -> None:
    for number in range(50):
        bench.write(f"microscope/day_{number % 5}/{number}.csv")
    bench.laboratory.folders.add("microscope/System Volume Information")
    bench.laboratory.listing_faults["microscope/System Volume Information"] = ShareDenied("it may not be listed")
    bench.harvest()
    bench.laboratory.files.clear()
    bench.clock.wait(60)

    sighting = discover(bench.facility, bench.instrument)

    assert (sighting.outcome, sighting.gone_files) == (ScanOutcome.SUSPECT, 0)


def test_a_look_calls_nothing_gone_that_another_look_recorded_meanwhile(bench: Any) -> None:
    bench.write("microscope/a.csv")
    bench.harvest()
    source = bench.laboratory.source()

    class Interrupted:
        def listings(self) -> Any:
            yield from list(source.listings())
            bench.clock.wait(1)
            bench.write("microscope/new/b.csv")
            discover(bench.facility, bench.instrument)

        def close(self) -> None: ...

    interrupted = bench.with_facility(open_source=lambda instrument: Interrupted())
    discover(interrupted.facility, bench.instrument)

    assert bench.states()["microscope/new/b.csv"] == VersionState.SETTLING
