"""Files that grow and grow: told to a person, or harvested as versions where the instrument's row says so."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import FileRecord, FileVersion, GrowingFiles, VersionState
from streamweave.harvest.plan import filter_files
from streamweave.harvest.run import scan
from streamweave.harvest.source_check import rehash
from streamweave.harvest.transfer import transfer_files

LOG = "microscope/endless.log"
ROW = b"12:00:00,1.25\n"


@pytest.fixture
def versions(bench: Any) -> Any:
    """A bench whose instrument lets growing files be harvested as versions."""
    bench.change(bench.instrument, growing_files=GrowingFiles.VERSIONS, max_wait_seconds=30)
    return bench


def grow(bench: Any, *, rows: int = 1) -> None:
    content = bench.laboratory.files[LOG].content if LOG in bench.laboratory.files else b""
    bench.write(LOG, content + rows * ROW)
    bench.laboratory.files[LOG].mtime = bench.clock.time


def grow_until(bench: Any, done: Callable[[], bool]) -> float:
    """Let the file grow every 4 s, and look each time; returns after how many seconds it was done."""
    begun = bench.clock.time
    while not done():
        assert bench.clock.time - begun < timedelta(minutes=10), bench.version(LOG).reason
        grow(bench)
        scan(bench.facility, bench.instrument)
        bench.clock.wait(4)
    return float((bench.clock.time - begun).total_seconds())


def copy(bench: Any) -> None:
    """What a run does that nobody's look comes before."""
    filter_files(bench.facility, bench.instrument)
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        transfer_files(bench.facility, bench.instrument, run_id)


def is_in(bench: Any, state: VersionState) -> Callable[[], bool]:
    return lambda: LOG in bench.laboratory.files and bench.version(LOG).state == state


def all_versions(bench: Any) -> list[FileVersion]:
    with bench.facility.sessions() as session:
        query = select(FileVersion).join(FileRecord).where(FileRecord.source_path == LOG).order_by(FileVersion.number)
        return list(session.scalars(query))


def test_by_default_a_person_is_told_and_nothing_is_copied(bench: Any) -> None:
    bench.change(bench.instrument, max_wait_seconds=30)
    grow_until(bench, is_in(bench, VersionState.OVERDUE))
    copy(bench)
    assert bench.archived() == {}
    assert bench.version(LOG).unfinished is None


def test_what_stands_after_the_maximum_wait_becomes_a_version_that_says_so(versions: Any) -> None:
    seconds = grow_until(versions, is_in(versions, VersionState.SETTLED))
    assert seconds > 30
    stood = versions.laboratory.files[LOG].content
    grow(versions, rows=3)
    scan(versions.facility, versions.instrument)
    assert versions.version(LOG).state == VersionState.SETTLED

    copy(versions)

    version = versions.version(LOG)
    assert versions.archived() == {"Microscope 01/microscope/endless.log": stood}
    assert (version.state, version.size_bytes, version.sha256) == (
        VersionState.ARCHIVED,
        len(stood),
        hashlib.sha256(stood).hexdigest(),
    )
    assert version.unfinished == "still growing or changing after 30 s: seen unchanged for 0 of 5 s"
    assert version.reason == version.unfinished


def test_the_next_version_waits_as_long_again(versions: Any) -> None:
    grow_until(versions, is_in(versions, VersionState.SETTLED))
    copy(versions)
    seconds = grow_until(versions, is_in(versions, VersionState.SETTLED))
    assert seconds > 30
    copy(versions)
    first, second = all_versions(versions)
    assert (first.state, second.state) == (VersionState.ARCHIVED, VersionState.ARCHIVED)
    assert versions.archived()["Microscope 01/microscope/endless~v2.log"].startswith(
        versions.archived()["Microscope 01/microscope/endless.log"]
    )


def test_a_file_that_comes_to_rest_is_archived_as_finished(versions: Any) -> None:
    grow_until(versions, is_in(versions, VersionState.SETTLED))
    copy(versions)
    grow(versions)
    versions.harvest()
    version = versions.version(LOG)
    assert (version.number, version.state, version.unfinished, version.reason) == (2, VersionState.ARCHIVED, None, "")
    assert versions.archived()["Microscope 01/microscope/endless~v2.log"] == versions.laboratory.files[LOG].content


def test_a_file_that_grows_while_it_is_copied_is_copied_as_it_stood(versions: Any) -> None:
    versions.laboratory.chunk_bytes = 20
    grow_until(versions, is_in(versions, VersionState.SETTLED))
    stood = versions.laboratory.files[LOG].content
    versions.laboratory.while_reading = lambda path: grow(versions)
    copy(versions)
    assert versions.archived() == {"Microscope 01/microscope/endless.log": stood}


def test_a_file_that_is_rewritten_while_it_is_copied_is_not_archived(versions: Any) -> None:
    versions.laboratory.chunk_bytes = 20
    grow_until(versions, is_in(versions, VersionState.SETTLED))

    def count_frames(path: str) -> None:
        content = versions.laboratory.files[path].content
        counter = int.from_bytes(content[:2], "big") + 1
        versions.laboratory.write(path, counter.to_bytes(2, "big") + content[2:] + ROW, versions.clock.time)

    versions.laboratory.while_reading = count_frames
    copy(versions)

    version = versions.version(LOG)
    assert (versions.archived(), versions.staged()) == ({}, [])
    assert (version.state, version.unfinished) == (VersionState.SETTLING, None)
    assert "it was rewritten while it was copied, and not only grew" in version.reason


def test_a_file_that_has_become_smaller_is_not_archived(versions: Any) -> None:
    grow_until(versions, is_in(versions, VersionState.SETTLED))
    versions.write(LOG, ROW)
    copy(versions)
    assert versions.archived() == {}
    assert "and now has only 14" in versions.version(LOG).reason


def test_one_that_can_never_be_proven_ends_up_with_a_person_and_is_tried_again_after_the_maximum_wait(
    versions: Any,
) -> None:
    versions.change(versions.instrument, max_attempts=2)
    for expected in (VersionState.SETTLING, VersionState.OVERDUE, VersionState.OVERDUE):
        versions.clock.wait(3600)
        seconds = grow_until(versions, is_in(versions, VersionState.SETTLED))
        assert seconds >= 4
        versions.write(LOG, ROW)
        copy(versions)
        assert versions.version(LOG).state == expected


def test_a_missing_marker_is_still_a_persons_business(versions: Any) -> None:
    versions.change(versions.instrument, marker_suffix=".done")
    grow(versions)
    versions.harvest()
    versions.clock.wait(60)
    scan(versions.facility, versions.instrument)
    assert versions.version(LOG).state == VersionState.OVERDUE


def test_a_file_that_stays_open_is_a_version_too(versions: Any) -> None:
    versions.change(versions.instrument, probe_open_writer=True)
    versions.laboratory.open_writers.add(LOG)
    grow(versions)
    versions.harvest()
    versions.clock.wait(60)
    versions.harvest()
    version = versions.version(LOG)
    assert version.state == VersionState.ARCHIVED
    assert version.reason == "still growing or changing after 30 s: still open for writing at the instrument"


def test_an_acquisition_that_never_comes_to_rest_lets_its_files_go_one_by_one(versions: Any) -> None:
    versions.change(versions.instrument, acquisition_depth=1)
    frames = [f"microscope/run/{number:02}.raw" for number in range(12)]
    for frame in frames:
        versions.write(frame)
        scan(versions.facility, versions.instrument)
        versions.clock.wait(4)

    assert versions.version(frames[0]).state == VersionState.SETTLED
    assert "its acquisition folder microscope/run was last seen to change" in versions.version(frames[0]).unfinished
    assert versions.version(frames[-1]).state == VersionState.SETTLING
    copy(versions)
    assert versions.version(frames[0]).state == VersionState.ARCHIVED
    versions.harvest()
    assert set(versions.states().values()) == {VersionState.ARCHIVED}


def test_a_file_that_grows_no_more_is_finished_once_it_was_read_again(versions: Any) -> None:
    """Nothing but its content, read again when it has been quiet, tells that what was archived is all of it."""
    versions.change(versions.instrument, rehash_share=1.0)
    grow_until(versions, is_in(versions, VersionState.SETTLED))
    copy(versions)
    assert versions.version(LOG).unfinished is not None
    rehash(versions.facility, versions.instrument)
    assert versions.version(LOG).unfinished is not None, "it was quiet for too short a time"
    versions.clock.wait(60)
    versions.harvest()
    assert (versions.version(LOG).unfinished, versions.version(LOG).state) == (None, VersionState.ARCHIVED)
    assert len(all_versions(versions)) == 1


def test_a_further_copy_of_an_unfinished_content_says_so_in_its_journal(versions: Any, tmp_path: Path) -> None:
    grow_until(versions, is_in(versions, VersionState.SETTLED))
    copy(versions)
    versions.add_location("second", tmp_path / "second")
    versions.clock.wait(7200)
    versions.write(LOG, versions.laboratory.files[LOG].content)  # touched
    versions.harvest()
    first, second = all_versions(versions)
    assert (first.unfinished is None, second.state) == (False, VersionState.UNCHANGED)
    [journal] = (tmp_path / "second").rglob("*.jsonl")
    assert '"unfinished":true' in journal.read_text()
