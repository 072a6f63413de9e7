"""What a damaged copy means for everybody else: it counts as archived once, and is never given out as a copy."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamweave.catalog.tables import Role, User, VersionState
from streamweave.errors import CopyUnavailable
from streamweave.files.contents import content_of_version, newest_content, open_copy
from streamweave.files.queries import history_of
from streamweave.preservation.sweep import sweep_tonight

PATH = "microscope/a.csv"
CONTENT = b"time,value\n0,1.0\n"
EVIDENCE = "Microscope 01/microscope/a.csv"


def fetched(bench: Any, number: int | None = None) -> bytes:
    """What an admin is given as the content of the file."""
    viewer = User(email="admin@test.org", password_hash="none", role=Role.ADMIN)
    file_id = bench.record(PATH).id
    with bench.facility.sessions() as session:
        content = (
            newest_content(session, viewer, file_id)
            if number is None
            else content_of_version(session, viewer, file_id, number)
        )
        return b"".join(open_copy(content, bench.facility.open_storage))


def test_damaged_bytes_are_not_given_out(damaged: Any) -> None:
    with pytest.raises(CopyUnavailable):
        fetched(damaged.bench)
    damaged.repair()
    assert fetched(damaged.bench) == CONTENT


def test_an_intact_copy_elsewhere_is(archived: Any, tmp_path: Path) -> None:
    archived.bench.add_location("second", tmp_path / "second")
    archived.bench.harvest()
    archived.damage()
    archived.sweep()
    assert fetched(archived.bench) == CONTENT


def test_a_change_at_the_source_keeps_the_damaged_version(damaged: Any) -> None:
    bench = damaged.bench
    bench.clock.time += timedelta(hours=2)
    bench.write(PATH, b"another content")
    bench.harvest()
    assert (bench.version(PATH).number, bench.states()[PATH]) == (2, VersionState.ARCHIVED)
    assert fetched(bench) == b"another content"
    with pytest.raises(CopyUnavailable):
        fetched(bench, 1)


def test_a_further_location_gets_a_copy_and_the_damaged_one_is_not_archived_once_more(
    damaged: Any, tmp_path: Path
) -> None:
    bench = damaged.bench
    bench.add_location("second", tmp_path / "second")
    bench.harvest()
    assert damaged.statuses() == ["damaged", "completed"]
    assert bench.archived(tmp_path / "second")[EVIDENCE] == CONTENT
    assert bench.states()[PATH] == VersionState.ARCHIVED


def test_a_file_gone_from_the_source_stays_archived(damaged: Any) -> None:
    damaged.bench.laboratory.remove(PATH)
    damaged.bench.harvest()
    assert damaged.bench.states()[PATH] == VersionState.ARCHIVED
    assert damaged.bench.record(PATH).gone_at is not None


def test_a_location_whose_only_copy_is_damaged_still_holds_versions(bench: Any) -> None:
    """An empty disk in its place is refused, not filled anew."""
    bench.write(PATH, CONTENT)
    bench.harvest()
    copy = bench.archive / EVIDENCE
    copy.unlink()
    bench.clock.time += timedelta(minutes=1)
    sweep_tonight(bench.facility, bench.location)
    assert [each.status for each in bench.transfers(PATH)] == ["damaged"]
    bench.archive.rename(bench.archive.with_name("unmounted"))
    bench.write("microscope/new.csv")
    (trouble,) = bench.harvest().troubles
    assert "is not there. Is the disk mounted?" in str(trouble)


def test_the_history_tells_of_it(damaged: Any) -> None:
    damaged.repair()
    viewer = User(email="admin@test.org", password_hash="none", role=Role.ADMIN)
    with damaged.bench.facility.sessions() as session:
        events = [event.event for event in history_of(session, viewer, damaged.bench.record(PATH).id)]
    assert events.count("transferred") == 2
    assert events.count("damaged") == 1
