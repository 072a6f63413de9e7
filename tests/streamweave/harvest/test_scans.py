"""A scan ends on record, whatever happens to it, and says which folders could not be listed and why."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from fakes.memory_source import MemoryFile
from streamweave.catalog.tables import Scan, ScanOutcome, VersionState
from streamweave.errors import FileDenied, FileUnreadable
from streamweave.harvest.scan import discover
from streamweave.harvest.scan_record import (
    LARGEST_COUNT,
    MOST_UNLISTABLE_CHARACTERS,
    ScanCheckpoint,
    ScanResult,
    end_dead_scans,
    scan_on_record,
    unlisted_sentence,
)
from streamweave.sources.base import FolderListing, SourceFile


def scans(bench: Any) -> list[Scan]:
    with bench.facility.sessions() as session:
        return list(session.scalars(select(Scan).order_by(Scan.id)))


def test_each_folder_that_could_not_be_listed_is_kept_by_name_and_reason(bench: Any) -> None:
    bench.write("microscope/open/a.csv")
    bench.laboratory.folders |= {"microscope/closed", "microscope/loop"}
    bench.laboratory.listing_faults["microscope/closed"] = FileDenied("the account may not read it")
    loop = FileUnreadable("microscope/loop: it is a link, which is not followed")
    bench.laboratory.listing_faults["microscope/loop"] = loop

    sighting = discover(bench.facility, bench.instrument)

    (scan,) = scans(bench)
    assert scan.unlisted_folders == ["microscope/closed", "microscope/loop"]
    assert scan.folders_not_listed == {
        "microscope/closed": "the account may not read it",
        "microscope/loop": "it is a link, which is not followed",
    }
    assert sighting.sentence().endswith(
        "; 2 folders could not be listed: microscope/closed (the account may not read it), "
        "microscope/loop (it is a link, which is not followed)"
    )


def test_of_many_folders_the_first_are_named_and_the_others_counted() -> None:
    unlisted = {f"share/{number}": "denied" for number in range(5)}
    assert unlisted_sentence(1_200, unlisted) == (
        "1200 folders could not be listed: share/0 (denied), share/1 (denied), share/2 (denied) and 1197 more"
    )
    assert unlisted_sentence(1, {"share/0": "denied"}) == "1 folder could not be listed: share/0 (denied)"


def test_a_scan_that_named_folders_before_reasons_were_kept_says_so() -> None:
    scan = Scan(unlisted_folders=["share/old"], unlisted_reasons={})
    assert scan.folders_not_listed == {"share/old": "the reason was not kept"}


def test_of_more_unlisted_folders_than_can_be_remembered_nothing_at_all_is_concluded(bench: Any) -> None:
    checkpoint = ScanCheckpoint(bench.clock.time)
    longest = MOST_UNLISTABLE_CHARACTERS // 1_000
    for number in range(1_200):
        checkpoint.take_unlisted(f"share/base/{number:0{longest}}", "denied")
    assert checkpoint.unlisted == 1_200
    assert len(checkpoint.unlistable_folders) < 1_000
    assert checkpoint.is_hidden("share/base/some other folder")


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(1), MemoryError(), RuntimeError("a bug")])
def test_a_scan_that_breaks_off_is_failed_and_says_by_what(bench: Any, end: BaseException) -> None:
    with pytest.raises(type(end)), scan_on_record(bench.facility, bench.instrument.id, None):
        raise end
    (scan,) = scans(bench)
    assert (scan.outcome, scan.error_kind) == (ScanOutcome.FAILED, "interrupted")
    assert scan.error_message.startswith(type(end).__name__)
    assert scan.finished_at is not None


def a_killed_scan(bench: Any) -> None:
    """As it stands when its process was killed a minute ago."""
    bench.add(Scan(instrument_id=bench.instrument.id, started_at=bench.clock.time))
    with bench.facility.sessions.begin() as session:
        session.execute(update(Scan).values(heartbeat_at=func.now() - timedelta(minutes=1)))


def test_a_killed_scan_is_ended_as_failed_by_the_next_one(bench: Any) -> None:
    a_killed_scan(bench)
    bench.write("microscope/a.csv")

    discover(bench.facility, bench.instrument)

    killed, next_one = scans(bench)
    assert (killed.outcome, killed.error_kind) == (ScanOutcome.FAILED, "interrupted")
    assert killed.error_message.startswith("the process that scanned has crashed; its last heartbeat was at ")
    assert killed.finished_at is not None
    assert next_one.outcome == ScanOutcome.COMPLETE


def test_a_scan_that_beats_is_left_alone_and_its_own_word_counts_for_more(bench: Any) -> None:
    with scan_on_record(bench.facility, bench.instrument.id, None):
        assert end_dead_scans(bench.facility.sessions) == 0
        with bench.facility.sessions.begin() as session:
            session.execute(update(Scan).values(heartbeat_at=func.now() - timedelta(minutes=1)))
        assert end_dead_scans(bench.facility.sessions) == 1  # held up for long, and wrongly taken for dead
    (scan,) = scans(bench)
    assert (scan.outcome, scan.error_kind, scan.error_message) == (ScanOutcome.COMPLETE, None, None)


def test_the_sum_of_all_sizes_stays_what_the_catalog_can_hold(bench: Any) -> None:
    files = tuple(SourceFile(f"share/{number}", 1 << 60, bench.clock.time) for number in range(16))
    sighting = ScanResult()
    sighting.note([FolderListing("share", files)])
    assert sighting.bytes == LARGEST_COUNT


def test_a_file_of_which_something_impossible_is_said_is_unreadable_until_that_is_over(bench: Any) -> None:
    bench.write("microscope/a.csv", b"12345")
    bench.write("microscope/b.csv", b"12345")
    discover(bench.facility, bench.instrument)
    sound = bench.laboratory.files["microscope/a.csv"]
    broken = MemoryFile(b"", sound.mtime, unreadable="the server says that it is 2 bytes long")
    bench.laboratory.files["microscope/a.csv"] = broken

    bench.harvest()

    assert bench.version("microscope/a.csv").state == VersionState.UNREADABLE
    assert bench.version("microscope/a.csv").reason == "the server says that it is 2 bytes long"
    assert bench.version("microscope/b.csv").state == VersionState.ARCHIVED

    bench.laboratory.files["microscope/a.csv"] = sound
    bench.harvest()
    assert bench.version("microscope/a.csv").state == VersionState.ARCHIVED


def test_a_folder_that_comes_in_parts_is_compared_as_a_whole(bench: Any) -> None:
    bench.laboratory.part_files = 7
    for number in range(40):
        bench.write(f"microscope/large/{number:02}.csv", b"%d" % number)
    bench.write("microscope/small/a.csv")
    assert discover(bench.facility, bench.instrument).new_files == 41
    bench.laboratory.remove("microscope/large/03.csv")
    bench.laboratory.remove("microscope/large/39.csv")
    bench.write("microscope/large/11.csv", b"another content")

    bench.clock.wait(1)
    sighting = discover(bench.facility, bench.instrument)

    assert (sighting.files, sighting.folders) == (39, 3)
    assert (sighting.new_files, sighting.changed_files, sighting.gone_files) == (0, 1, 2)
    assert bench.record("microscope/large/39.csv").gone_at is not None
    assert bench.record("microscope/large/04.csv").gone_at is None
