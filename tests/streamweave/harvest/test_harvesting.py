"""The way of a file, from end to end, over a real catalog and a real folder."""

import hashlib
from pathlib import Path
from typing import Any

from sqlalchemy import update

from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import Schedule, TransferStatus, VersionState
from streamweave.errors import FileDenied, FileInUse, FileVanished, SourceUnreachable
from streamweave.harvest.plan import filter_files
from streamweave.harvest.run import scan_until_quiet
from streamweave.harvest.transfer import transfer_files


def test_a_file_is_archived_with_its_proof(bench: Any) -> None:
    bench.write("microscope/user_a/scan_01.csv")

    report = bench.harvest()

    assert bench.archived() == {"Microscope 01/microscope/user_a/scan_01.csv": b"time,value\n0,1.0\n1,2.0\n"}
    version = bench.version("microscope/user_a/scan_01.csv")
    assert version.state == VersionState.ARCHIVED
    assert version.xxhash == "7c0d455ba2126c3d"
    [transfer] = bench.transfers("microscope/user_a/scan_01.csv")
    assert transfer.status == TransferStatus.COMPLETED
    assert transfer.checksum_verified
    assert transfer.source_checksum == transfer.dest_checksum == "7c0d455ba2126c3d"
    assert report.counts == {VersionState.ARCHIVED: 1}
    assert bench.staged() == []


def test_a_second_harvest_finds_nothing_new(bench: Any) -> None:
    bench.write("microscope/scan_01.csv")
    bench.harvest()

    assert bench.harvest().days == {}
    assert len(bench.transfers("microscope/scan_01.csv")) == 1


def test_a_filtered_file_is_known_and_skipped_with_its_reason(bench: Any) -> None:
    bench.add_hook("file_filter", "pre_transfer", exclude_patterns=["*.tmp"])
    bench.write("microscope/scratch.tmp")

    bench.harvest()

    assert bench.version("microscope/scratch.tmp").state == VersionState.SKIPPED
    assert "*.tmp" in bench.version("microscope/scratch.tmp").reason
    assert [transfer.status for transfer in bench.transfers("microscope/scratch.tmp")] == [TransferStatus.SKIPPED]
    assert bench.archived() == {}


def test_a_skipped_file_is_decided_anew_when_the_hooks_change(bench: Any) -> None:
    hook = bench.add_hook("file_filter", "pre_transfer", exclude_patterns=["*.tmp"])
    bench.write("microscope/scratch.tmp")
    bench.harvest()

    bench.change(hook, config={"exclude_patterns": ["*.lock"]})
    bench.harvest()

    assert bench.states() == {"microscope/scratch.tmp": VersionState.ARCHIVED}


def test_metadata_is_read_from_the_path(bench: Any) -> None:
    pattern = r"/(?P<username>[a-z][a-z0-9_]*)/(?P<experiment>experiment_\d+)"
    bench.add_hook("metadata_enrichment", "post_transfer", rules=[{"pattern": pattern, "source": "path"}])
    bench.write("microscope/user_a/experiment_001/scan_01.csv")
    bench.write("microscope/experiment_001.csv")

    bench.harvest()

    assert bench.record("microscope/user_a/experiment_001/scan_01.csv").metadata_ == {
        "username": "user_a",
        "experiment": "experiment_001",
    }
    assert bench.record("microscope/experiment_001.csv").metadata_ == {}


def test_archived_files_are_enriched_anew_when_the_hooks_change(bench: Any) -> None:
    bench.write("microscope/user_a/scan_01.csv")
    bench.harvest()

    bench.add_hook("metadata_enrichment", "post_transfer", rules=[{"pattern": "/(?P<user>user_[a-z])/"}])
    bench.harvest()

    assert bench.record("microscope/user_a/scan_01.csv").metadata_ == {"user": "user_a"}


def test_a_redirected_file_goes_only_where_the_rule_says(bench: Any, tmp_path: Path) -> None:
    bench.add_location("restricted", tmp_path / "restricted", scheduled=False)
    bench.add_hook("file_filter", "pre_transfer", redirect_rules=[{"pattern": "*.raw", "destination": "restricted"}])
    bench.write("microscope/a.raw")
    bench.write("microscope/a.csv")

    bench.harvest()

    assert list(bench.archived()) == ["Microscope 01/microscope/a.csv"]
    assert list(bench.archived(tmp_path / "restricted")) == ["Microscope 01/microscope/a.raw"]


def test_a_redirection_to_an_unknown_location_leaves_the_file_waiting_with_the_reason(bench: Any) -> None:
    bench.add_hook("file_filter", "pre_transfer", redirect_rules=[{"pattern": "*", "destination": "nowhere"}])
    bench.write("microscope/a.raw")

    bench.harvest()

    assert bench.version("microscope/a.raw").state == VersionState.SETTLED
    assert "nowhere" in bench.version("microscope/a.raw").reason


def test_two_scheduled_locations_get_a_copy_each(bench: Any, tmp_path: Path) -> None:
    bench.add_location("second", tmp_path / "second")
    bench.write("microscope/a.csv")

    bench.harvest()

    assert list(bench.archived()) == list(bench.archived(tmp_path / "second")) == ["Microscope 01/microscope/a.csv"]
    assert [transfer.status for transfer in bench.transfers("microscope/a.csv")] == [TransferStatus.COMPLETED] * 2


def test_a_location_that_is_scheduled_later_gets_what_was_archived_before(bench: Any, tmp_path: Path) -> None:
    bench.write("microscope/a.csv")
    bench.harvest()

    bench.add_location("second", tmp_path / "second")
    bench.harvest()

    assert list(bench.archived(tmp_path / "second")) == ["Microscope 01/microscope/a.csv"]
    assert bench.version("microscope/a.csv").state == VersionState.ARCHIVED


def test_a_scan_alone_says_why_what_has_settled_is_not_archived(bench: Any) -> None:
    with bench.facility.sessions.begin() as session:
        session.execute(update(Schedule).values(enabled=False))
    bench.write("microscope/a.csv")
    scan_until_quiet(bench.facility, bench.instrument)
    assert "no enabled schedule" in bench.version("microscope/a.csv").reason


def test_without_an_enabled_schedule_files_wait_and_say_so(bench: Any) -> None:
    with bench.facility.sessions.begin() as session:
        session.execute(update(Schedule).values(enabled=False))
    bench.write("microscope/a.csv")

    bench.harvest()

    assert bench.version("microscope/a.csv").state == VersionState.SETTLED
    assert "no enabled schedule" in bench.version("microscope/a.csv").reason
    assert bench.archived() == {}


def test_changed_content_becomes_a_new_version_and_the_old_one_stays(bench: Any) -> None:
    bench.write("microscope/a.csv", b"first")
    bench.harvest()

    bench.clock.wait(60)
    bench.write("microscope/a.csv", b"second")
    bench.harvest()

    assert bench.archived() == {
        "Microscope 01/microscope/a.csv": b"first",
        "Microscope 01/microscope/a~v2.csv": b"second",
    }
    assert bench.version("microscope/a.csv").number == 2
    assert bench.version("microscope/a.csv").sha256 == hashlib.sha256(b"second").hexdigest()


def test_a_touched_file_is_not_archived_twice(bench: Any) -> None:
    bench.write("microscope/a.csv", b"same")
    bench.harvest()

    bench.clock.wait(60)
    bench.write("microscope/a.csv", b"same")
    bench.harvest()

    assert bench.archived() == {"Microscope 01/microscope/a.csv": b"same"}
    assert bench.version("microscope/a.csv").state == VersionState.UNCHANGED
    assert bench.version("microscope/a.csv").sha256 == hashlib.sha256(b"same").hexdigest()
    assert bench.staged() == []
    assert bench.harvest().days == {}


def test_a_content_that_comes_back_is_not_archived_twice(bench: Any) -> None:
    for content in (b"first", b"second", b"first"):
        bench.write("microscope/a.csv", content)
        bench.harvest()
        bench.clock.wait(60)

    assert sorted(bench.archived().values()) == [b"first", b"second"]
    assert bench.version("microscope/a.csv").state == VersionState.UNCHANGED


def test_a_file_that_grows_while_we_wait_is_not_copied(bench: Any) -> None:
    bench.write("microscope/growing.raw", b"begun")
    bench.clock.while_waiting.append(lambda: bench.write("microscope/growing.raw", b"begun and more"))

    bench.harvest()

    assert bench.archived() == {}
    assert bench.version("microscope/growing.raw").state == VersionState.SETTLING
    bench.harvest()
    assert bench.archived() == {"Microscope 01/microscope/growing.raw": b"begun and more"}


def test_a_file_that_changed_while_it_was_read_is_not_archived(bench: Any) -> None:
    bench.laboratory.chunk_bytes = 4
    bench.write("microscope/a.raw", b"12345678")

    def append(path: str) -> None:
        bench.laboratory.while_reading = None
        bench.laboratory.append(path, b"9", bench.clock.time)

    bench.laboratory.while_reading = append
    bench.harvest()

    assert bench.archived() == {}
    assert bench.staged() == []
    assert bench.version("microscope/a.raw").state == VersionState.SETTLING
    bench.harvest()
    assert bench.archived() == {"Microscope 01/microscope/a.raw": b"123456789"}
    assert bench.version("microscope/a.raw").number == 1


def test_a_file_that_vanished_before_its_copy_is_on_record(bench: Any) -> None:
    bench.write("microscope/a.csv")
    bench.write("microscope/b.csv")
    bench.laboratory.file_faults["microscope/a.csv"] = FileVanished("microscope/a.csv is no longer on the share")

    bench.harvest()

    assert bench.states() == {
        "microscope/a.csv": VersionState.VANISHED,
        "microscope/b.csv": VersionState.ARCHIVED,
    }


def test_a_denied_file_ends_up_in_front_of_a_person_and_stops_no_other(bench: Any) -> None:
    for name in ("a", "b", "c"):
        bench.write(f"microscope/{name}.csv")
    bench.laboratory.file_faults["microscope/b.csv"] = FileDenied("the account may not read microscope/b.csv")

    report = bench.harvest()

    assert report.counts == {VersionState.ARCHIVED: 2, VersionState.FAILED: 1}
    assert bench.version("microscope/b.csv").reason == "the account may not read microscope/b.csv"


def test_a_transient_failure_is_tried_again_later_and_then_given_up(bench: Any) -> None:
    bench.change(bench.instrument, max_attempts=2, retry_delay_seconds=30)
    bench.write("microscope/a.csv")
    bench.laboratory.file_faults["microscope/a.csv"] = FileInUse("the instrument holds microscope/a.csv locked")

    bench.harvest()
    assert bench.version("microscope/a.csv").state == VersionState.PENDING
    bench.harvest()
    assert len(bench.transfers("microscope/a.csv")) == 2, "its time had not come"
    bench.clock.wait(31)
    bench.harvest()

    assert bench.version("microscope/a.csv").state == VersionState.FAILED
    assert [transfer.status for transfer in bench.transfers("microscope/a.csv")] == [TransferStatus.FAILED] * 2
    assert bench.version("microscope/a.csv").failures == 2


def test_a_retry_that_works_archives_the_file(bench: Any) -> None:
    bench.write("microscope/a.csv")
    bench.laboratory.file_faults["microscope/a.csv"] = FileInUse("locked")
    bench.harvest()

    bench.laboratory.file_faults.clear()
    bench.clock.wait(31)
    bench.harvest()

    assert bench.version("microscope/a.csv").state == VersionState.ARCHIVED
    assert [each.status for each in bench.transfers("microscope/a.csv")] == [
        TransferStatus.FAILED,
        TransferStatus.COMPLETED,
    ]


def test_a_file_gone_from_the_source_stays_in_the_archive(bench: Any) -> None:
    bench.write("microscope/a.csv")
    bench.write("microscope/b.csv")
    bench.harvest()

    bench.laboratory.remove("microscope/a.csv")
    bench.harvest()

    assert bench.record("microscope/a.csv").gone_at is not None
    assert bench.version("microscope/a.csv").state == VersionState.ARCHIVED
    assert "Microscope 01/microscope/a.csv" in bench.archived()


def test_a_share_that_is_lost_in_the_middle_gives_every_claim_back(bench: Any) -> None:
    for number in range(20):
        bench.write(f"microscope/{number:02}.csv")
    scan_until_quiet(bench.facility, bench.instrument)
    bench.laboratory.unreachable = SourceUnreachable("microscope-01:445 does not answer")
    filter_files(bench.facility, bench.instrument)
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        report = transfer_files(bench.facility, bench.instrument, run_id)

    assert [str(trouble) for trouble in report.troubles] == ["microscope-01:445 does not answer"]
    assert set(bench.states().values()) == {VersionState.PENDING}
    bench.laboratory.unreachable = None
    bench.clock.wait(3600)
    assert bench.harvest().counts == {VersionState.ARCHIVED: 20}


def test_a_location_that_is_not_the_place_it_was_is_not_filled_anew(bench: Any) -> None:
    bench.write("microscope/a.csv")
    bench.harvest()
    bench.archive.rename(bench.archive.with_name("unmounted"))
    bench.write("microscope/b.csv")

    report = bench.harvest()

    assert "mounted" in str(report.troubles[0])
    assert not bench.archive.exists()
    assert bench.version("microscope/b.csv").state == VersionState.PENDING


def test_bytes_that_stand_under_the_final_name_are_never_overwritten(bench: Any) -> None:
    foreign = bench.archive / "Microscope 01" / "microscope" / "a.csv"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"somebody else's")
    bench.write("microscope/a.csv", b"ours")

    bench.harvest()

    assert foreign.read_bytes() == b"somebody else's"
    assert bench.version("microscope/a.csv").state == VersionState.ARCHIVED
    assert bench.archived()["Microscope 01/microscope/a%~2.csv"] == b"ours"
    assert bench.staged() == []


def test_a_file_with_an_unreadable_name_is_on_record_and_left_alone(bench: Any) -> None:
    bench.write("microscope/bad\\udcff.csv")
    bench.laboratory.files["microscope/bad\\udcff.csv"].unreadable = "its name is not valid Unicode"

    bench.harvest()

    assert bench.version("microscope/bad\\udcff.csv").state == VersionState.UNREADABLE
    assert bench.version("microscope/bad\\udcff.csv").reason == "its name is not valid Unicode"


def test_a_file_that_changes_during_every_copy_ends_up_in_front_of_a_person(bench: Any) -> None:
    bench.write("microscope/endless.log")
    bench.laboratory.while_reading = lambda path: bench.laboratory.append(path, b"x", bench.clock.time)
    for _ in range(12):
        bench.clock.wait(7200)
        bench.harvest()

    assert bench.version("microscope/endless.log").state == VersionState.OVERDUE
    assert "changed during each of" in bench.version("microscope/endless.log").reason
    assert bench.archived() == {}


def test_a_connection_that_is_lost_night_after_night_gives_up_no_file(bench: Any) -> None:
    bench.write("microscope/a.csv")
    bench.laboratory.read_faults["microscope/a.csv"] = SourceUnreachable("the connection was lost")
    for _ in range(8):
        bench.clock.wait(7200)
        bench.harvest()
    assert bench.version("microscope/a.csv").state == VersionState.PENDING

    bench.laboratory.read_faults.clear()
    bench.clock.wait(7200)
    bench.harvest()

    assert bench.version("microscope/a.csv").state == VersionState.ARCHIVED
