"""Rehash: archived files are read again at the source, over a real catalog and a real folder as archive."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, User, VersionState
from streamweave.errors import FileDenied, SourceUnreachable
from streamweave.files.queries import history_of
from streamweave.harvest import source_check
from streamweave.harvest.run import scan_until_quiet
from streamweave.harvest.source_check import SourceOutcome, rehash

SCAN = "microscope/scan.csv"
ADMIN = User(email="admin@test.org", role="admin", is_active=True)


@pytest.fixture
def quiet(bench: Any) -> Any:
    """A bench whose harvests read nothing again: tests ask for that themselves."""
    bench.change(bench.instrument, rehash_share=0.0)
    return bench


def reread(bench: Any, share: float = 1.0, **fields: Any) -> Any:
    """One round with that share."""
    bench.change(bench.instrument, rehash_share=share, **fields)
    bench.clock.wait(60)
    report = rehash(bench.facility, bench.instrument)
    bench.change(bench.instrument, rehash_share=0.0)
    return report


def swap(bench: Any, path: str, content: bytes) -> None:
    """Exchange the content of a file; size and mtime stay."""
    file = bench.laboratory.files[path]
    assert len(content) == len(file.content)
    bench.laboratory.write(path, content, file.mtime)


def versions(bench: Any, path: str) -> list[FileVersion]:
    with bench.facility.sessions() as session:
        query = select(FileVersion).join(FileRecord).where(FileRecord.source_path == path).order_by(FileVersion.number)
        return list(session.scalars(query))


def verified(bench: Any) -> set[str]:
    return {path for path in bench.states() if bench.version(path).source_verified_at is not None}


def test_a_file_that_is_as_it_was_archived_gets_the_time_of_its_reading(quiet: Any) -> None:
    quiet.write(SCAN)
    quiet.harvest()
    assert quiet.version(SCAN).source_verified_at is None

    report = reread(quiet)

    assert report.sentence() == (
        "1 archived file read again at the source (23 bytes): 1 identical, 0 different, 0 unknown"
    )
    assert quiet.version(SCAN).source_verified_at == quiet.clock.time
    assert quiet.version(SCAN).state == VersionState.ARCHIVED


@pytest.mark.parametrize("size", [10, (1 << 20) + 10])
def test_another_content_under_the_same_size_and_mtime_becomes_a_version_of_the_same_file(
    quiet: Any, size: int
) -> None:
    quiet.write(SCAN, b"a" * size)
    quiet.harvest()
    identifier = quiet.record(SCAN).persistent_id
    swap(quiet, SCAN, b"b" * size)
    quiet.harvest()
    assert len(versions(quiet, SCAN)) == 1, "size and mtime are believed otherwise"

    report = reread(quiet)

    assert report.changed == [SCAN]
    new = quiet.version(SCAN)
    assert (new.number, new.state, new.found_by_rereading) == (2, VersionState.SETTLING, True)
    quiet.harvest()
    first, second = versions(quiet, SCAN)
    assert (first.state, second.state) == (VersionState.ARCHIVED, VersionState.ARCHIVED)
    assert quiet.archived() == {
        "Microscope 01/microscope/scan.csv": b"a" * size,
        "Microscope 01/microscope/scan~v2.csv": b"b" * size,
    }
    assert quiet.record(SCAN).persistent_id == identifier
    with quiet.facility.sessions() as session:
        told = [(event.event, event.version, event.detail) for event in history_of(session, ADMIN, first.file_id)]
    assert ("changed", 2, "read again at the source: another content, though size and mtime are the same") in told


def test_a_content_that_changes_back_is_that_of_the_first_version(quiet: Any) -> None:
    quiet.write(SCAN, b"first")
    quiet.harvest()
    swap(quiet, SCAN, b"other")
    reread(quiet)
    swap(quiet, SCAN, b"first")

    quiet.harvest()

    assert quiet.version(SCAN).state == VersionState.UNCHANGED
    assert quiet.archived() == {"Microscope 01/microscope/scan.csv": b"first"}
    assert reread(quiet).counts == {SourceOutcome.IDENTICAL: 1}


def test_every_file_has_its_turn(quiet: Any) -> None:
    for number in range(10):
        quiet.write(f"microscope/{number}.csv")
    quiet.harvest()
    for round_ in range(1, 5):
        assert reread(quiet, share=0.25).counts == {SourceOutcome.IDENTICAL: 3}
        assert len(verified(quiet)) == min(3 * round_, 10)


def test_a_harvest_ends_with_a_round_of_it_and_a_tick_of_the_sensor_has_none(bench: Any) -> None:
    bench.write(SCAN)
    bench.harvest()
    first = bench.version(SCAN).source_verified_at
    assert first is not None
    scan_until_quiet(bench.facility, bench.instrument, patience_seconds=10, budget_seconds=20)
    assert bench.version(SCAN).source_verified_at == first
    bench.clock.wait(10)
    bench.harvest()
    assert bench.version(SCAN).source_verified_at == bench.clock.time


def test_nothing_is_read_again_from_a_share_that_is_in_doubt(bench: Any) -> None:
    bench.write(SCAN)
    bench.write("microscope/other.csv")
    bench.harvest()
    before = bench.version(SCAN).source_reread_at
    bench.laboratory.files.clear()
    bench.clock.wait(10)
    bench.harvest()
    assert bench.version(SCAN).source_reread_at == before


def test_what_has_changed_visibly_or_can_not_be_read_is_left_to_the_next_look(quiet: Any) -> None:
    for name in ("changed", "denied", "removed", "fine"):
        quiet.write(f"microscope/{name}.csv")
    quiet.harvest()
    quiet.write("microscope/changed.csv", b"longer than it was before, and later")
    quiet.laboratory.file_faults["microscope/denied.csv"] = FileDenied("microscope/denied.csv may not be read")
    quiet.laboratory.remove("microscope/removed.csv")

    report = reread(quiet)

    assert report.counts == {SourceOutcome.IDENTICAL: 1, SourceOutcome.UNKNOWN: 3}
    assert verified(quiet) == {"microscope/fine.csv"}
    assert set(quiet.states().values()) == {VersionState.ARCHIVED}


def test_a_round_reads_no_more_than_its_bytes_and_makes_up_for_a_larger_file(quiet: Any) -> None:
    for number in range(4):
        quiet.write(f"microscope/{number}.raw", bytes([number]) * 1_000)
    quiet.harvest()
    rounds = [reread(quiet, rehash_bytes=500).bytes for _ in range(8)]
    assert rounds == [1_000, 0] * 4
    assert len(verified(quiet)) == 4
    assert reread(quiet, rehash_bytes=1_500).bytes == 2_000
    assert reread(quiet, rehash_bytes=0).bytes == 0


def test_files_that_are_gone_pass_their_turn(quiet: Any) -> None:
    for number in range(12):
        quiet.write(f"microscope/{number:02}.csv")
    quiet.harvest()
    quiet.laboratory.remove("microscope/00.csv")
    quiet.harvest()
    assert reread(quiet).counts == {SourceOutcome.IDENTICAL: 11, SourceOutcome.UNKNOWN: 1}
    assert quiet.version("microscope/00.csv").source_reread_at is not None


def test_nothing_is_read_again_outside_the_instruments_hours(quiet: Any) -> None:
    quiet.write(SCAN)
    quiet.harvest()
    report = reread(quiet, transfer_config={"hours": ["19:00-07:00"]})
    assert report.sentence().startswith("nothing read again: outside the instrument's hours")
    assert quiet.version(SCAN).source_reread_at is None
    quiet.clock.time += timedelta(hours=8)
    assert reread(quiet).counts == {SourceOutcome.IDENTICAL: 1}


def test_a_share_that_fails_meanwhile_is_told_and_fails_nothing(quiet: Any) -> None:
    quiet.write(SCAN)
    quiet.harvest()
    quiet.laboratory.unreachable = SourceUnreachable("microscope-01:445 does not answer")
    assert "ended early: microscope-01:445 does not answer" in reread(quiet).sentence()


def test_new_files_go_first(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_check, "WORK_ASKED_EVERY_SECONDS", 0.0)
    quiet.laboratory.chunk_bytes = 1 << 18
    quiet.write("microscope/large.raw", bytes(2 << 20))
    quiet.harvest()

    def new_file(path: str) -> None:
        quiet.laboratory.while_reading = None
        quiet.write("microscope/new.csv")
        scan_until_quiet(quiet.facility, quiet.instrument)

    quiet.laboratory.while_reading = new_file
    report = reread(quiet)

    assert report.counts == {SourceOutcome.UNKNOWN: 1}
    assert report.bytes < 1 << 20
    assert quiet.version("microscope/new.csv").state == VersionState.SETTLED
    quiet.harvest()
    assert reread(quiet).counts == {SourceOutcome.IDENTICAL: 2}


def test_a_round_ends_after_its_time(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet.write(SCAN)
    quiet.harvest()
    monkeypatch.setattr(source_check, "SECONDS", 0.0)
    assert reread(quiet).counts == {}


def test_the_pace_of_the_instrument_holds(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(source_check.Pace, "take", lambda self, number: taken.append(number))
    quiet.write(SCAN)
    quiet.write("microscope/large.raw", bytes((1 << 20) + 5))
    quiet.harvest()
    taken.clear()
    reread(quiet)
    assert taken == [23, 1 << 20, 5]


def test_what_is_claimed_or_changed_meanwhile_is_left_alone(quiet: Any) -> None:
    quiet.write(SCAN, b"first")
    quiet.harvest()
    swap(quiet, SCAN, b"other")

    def look_first(path: str) -> None:
        quiet.laboratory.while_reading = None
        quiet.write(SCAN, b"a third one")
        quiet.laboratory.files[SCAN].mtime = quiet.clock.time
        scan_until_quiet(quiet.facility, quiet.instrument)

    quiet.laboratory.while_reading = look_first
    reread(quiet)
    quiet.harvest()

    assert [(version.number, version.found_by_rereading) for version in versions(quiet, SCAN)] == [
        (1, False),
        (2, False),
    ]


def test_the_default_is_a_small_share_above_none(quiet: Any) -> None:
    with quiet.facility.sessions.begin() as session:
        instrument = Instrument(slug="other", name="Other", cifs_host="o", cifs_share="o", archive_folder="Other")
        session.add(instrument)
        session.flush()
        assert (instrument.rehash_share, instrument.rehash_bytes) == (0.01, 256 << 20)
