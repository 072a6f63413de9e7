"""Looks at a share that is too large for one look's time: each goes on where the last was cut short."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from streamweave.catalog.tables import Scan, ScanOutcome, UnfinishedLook
from streamweave.harvest import scan
from streamweave.harvest.scan import discover

FOLDERS = 5
FOLDERS_IN_TIME = 3


class Watch:
    """Time that passes by folders listed."""

    def __init__(self) -> None:
        self.folders = 0

    def __call__(self) -> float:
        return float(self.folders)


@pytest.fixture
def slow(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bench with five folders of two files, of which a look has time for the base folder and two others."""
    watch = Watch()
    monkeypatch.setattr(scan, "monotonic", watch)
    source = bench.laboratory.source()

    class Slow:
        def listings(self, passing_over: Any = ()) -> Any:
            for listing in source.listings(passing_over):
                watch.folders += 1
                yield listing

        def close(self) -> None: ...

    for folder in range(FOLDERS):
        for name in ("a", "b"):
            bench.write(f"microscope/day_{folder}/{name}.csv")
    return bench.with_facility(open_source=lambda instrument: Slow())


def look(bench: Any) -> Any:
    return discover(bench.facility, bench.instrument, budget_seconds=FOLDERS_IN_TIME - 1)


def look_until_whole(bench: Any) -> list[Any]:
    sightings = [look(bench)]
    while sightings[-1].outcome == ScanOutcome.PARTIAL:
        assert len(sightings) < 10, "the looks do not come to an end"
        bench.clock.wait(30)
        sightings.append(look(bench))
    return sightings


def gone(bench: Any) -> list[str]:
    return [path for path in sorted(bench.states()) if bench.record(path).gone_at is not None]


def test_a_share_that_takes_longer_than_a_look_is_seen_as_a_whole_by_successive_ones(slow: Any) -> None:
    sightings = look_until_whole(slow)

    assert [sighting.outcome for sighting in sightings] == [ScanOutcome.PARTIAL] * 2 + [ScanOutcome.COMPLETE]
    assert [sighting.continued for sighting in sightings] == [False, True, True]
    assert sum(sighting.new_files for sighting in sightings) == len(slow.states()) == 2 * FOLDERS
    assert "resumed from the last scan" in sightings[-1].sentence()
    with slow.facility.sessions() as session:
        assert session.scalars(select(Scan.continued).order_by(Scan.started_at)).all() == [False, True, True]


def test_a_folder_is_listed_by_one_of_the_looks_only_unless_it_leads_to_others(slow: Any) -> None:
    sightings = look_until_whole(slow)

    assert sum(sighting.folders for sighting in sightings) == FOLDERS + len(sightings)


def test_files_are_called_gone_by_the_look_that_completes_the_round(slow: Any) -> None:
    look_until_whole(slow)
    slow.clock.wait(30)
    slow.laboratory.remove("microscope/day_0/a.csv")
    slow.laboratory.remove("microscope/day_4/b.csv")

    while look(slow).outcome == ScanOutcome.PARTIAL:
        assert gone(slow) == []

    assert gone(slow) == ["microscope/day_0/a.csv", "microscope/day_4/b.csv"]


def test_the_next_round_starts_from_the_beginning(slow: Any) -> None:
    look_until_whole(slow)
    slow.clock.wait(30)
    slow.write("microscope/day_0/new.csv")

    sighting = look(slow)

    assert (sighting.continued, sighting.new_files) == (False, 1)


def test_a_round_that_finds_far_too_little_concludes_nothing(slow: Any) -> None:
    look_until_whole(slow)
    slow.clock.wait(30)
    look(slow)
    for path in list(slow.laboratory.files):
        if not path.startswith("microscope/day_0/"):
            slow.laboratory.remove(path)

    assert look_until_whole(slow)[-1].outcome == ScanOutcome.SUSPECT
    assert gone(slow) == []


@pytest.mark.parametrize("change", [{"cifs_host": "another"}, {"cifs_base_path": "/day_4"}])
def test_a_look_at_another_place_goes_on_from_nowhere(slow: Any, change: dict[str, str]) -> None:
    look(slow)
    slow.change(slow.instrument, **change)

    assert not look(slow).continued


def test_what_was_seen_long_ago_is_looked_at_anew(slow: Any) -> None:
    look(slow)
    slow.clock.time += timedelta(hours=2)

    assert not look(slow).continued


def test_a_look_without_a_budget_sees_the_whole_share_whatever_was_seen_before(slow: Any) -> None:
    look(slow)

    sighting = discover(slow.facility, slow.instrument)

    assert (sighting.outcome, sighting.folders) == (ScanOutcome.COMPLETE, FOLDERS + 1)
    with slow.facility.sessions() as session:
        assert session.scalars(select(UnfinishedLook)).all() == []
