"""The share guard: what a look at a share that lost files concludes, over a real catalog."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.catalog.tables import Instrument, ScanOutcome, VersionState
from streamweave.harvest.run import scan
from streamweave.harvest.scan import discover
from streamweave.harvest.share_guard import FEW_FILES, Expectations, suspicion

COMPLETE, SUSPECT = ScanOutcome.COMPLETE, ScanOutcome.SUSPECT


def fill(bench: Any, files: int, folder: str = "microscope/day_1") -> None:
    for number in range(files):
        bench.write(f"{folder}/{number:03}.csv")


def lose(bench: Any, files: int) -> None:
    """Let the first of the files that stand on the share go."""
    for path in sorted(bench.laboratory.files)[:files]:
        bench.laboratory.remove(path)


def gone(bench: Any) -> int:
    return sum(bench.record(path).gone_at is not None for path in bench.states())


def outcome(bench: Any) -> ScanOutcome:
    bench.clock.wait(30)
    found: ScanOutcome = discover(bench.facility, bench.instrument).outcome
    return found


@pytest.mark.parametrize("folders", [[], ["microscope/day_1"]])
def test_a_share_that_is_not_mounted_looks_empty_and_is_not_believed(bench: Any, folders: Iterable[str]) -> None:
    fill(bench, 3)
    bench.harvest()
    bench.laboratory.files.clear()
    bench.laboratory.folders.update(folders)

    assert (outcome(bench), gone(bench)) == (SUSPECT, 0)


def test_a_base_folder_that_was_exchanged_for_another_is_not_believed_however_much_it_holds(bench: Any) -> None:
    fill(bench, 20)
    bench.harvest()
    bench.laboratory.files.clear()
    fill(bench, 100, "microscope/another")

    assert (outcome(bench), gone(bench)) == (SUSPECT, 0)
    assert len(bench.states()) == 120


def test_a_share_that_shrinks_in_steps_is_held_against_what_it_was_before_the_first(bench: Any) -> None:
    fill(bench, 100)
    bench.harvest()
    for remaining, expected in [(60, COMPLETE), (50, COMPLETE), (36, SUSPECT), (20, SUSPECT)]:
        lose(bench, len(bench.laboratory.files) - remaining)
        assert outcome(bench) == expected
    assert gone(bench) == 50

    bench.clock.time += timedelta(hours=25)
    assert outcome(bench) == SUSPECT  # 20 of the 50 that are left


def test_files_that_were_archived_count_though_they_were_touched_before_they_went(bench: Any) -> None:
    fill(bench, 100)
    bench.harvest()
    bench.clock.wait(60)
    fill(bench, 100)
    for remaining, expected in [(60, COMPLETE), (50, COMPLETE), (36, SUSPECT)]:
        lose(bench, len(bench.laboratory.files) - remaining)
        assert outcome(bench) == expected


def test_what_goes_slowly_is_believed(bench: Any) -> None:
    fill(bench, 100)
    bench.harvest()
    for _ in range(5):
        bench.clock.time += timedelta(hours=25)
        lose(bench, len(bench.laboratory.files) // 3)
        assert outcome(bench) == COMPLETE


def test_temporary_names_that_come_and_go_raise_no_alarm(bench: Any) -> None:
    fill(bench, 10)
    bench.harvest()
    for number in range(20):
        bench.write(f"microscope/day_1/{number}.tmp")
        assert outcome(bench) == COMPLETE
        bench.laboratory.remove(f"microscope/day_1/{number}.tmp")
        bench.write(f"microscope/day_1/final_{number}.csv")
        assert outcome(bench) == COMPLETE


def test_a_top_folder_that_is_gone_is_gone_its_archive_stays_and_it_may_come_back(bench: Any) -> None:
    fill(bench, 30, "microscope/user_a")
    fill(bench, 15, "microscope/user_b")
    bench.harvest()
    bench.write("microscope/user_b/not_yet_archived.csv")
    scan(bench.facility, bench.instrument)
    archived = bench.archived()
    files = {path: file for path, file in bench.laboratory.files.items() if "user_b" in path}
    for path in files:
        bench.laboratory.remove(path)

    assert outcome(bench) == COMPLETE
    assert gone(bench) == 16
    assert bench.version("microscope/user_b/not_yet_archived.csv").state == VersionState.VANISHED
    assert bench.version("microscope/user_b/000.csv").state == VersionState.ARCHIVED
    bench.harvest()
    assert bench.archived() == archived

    bench.laboratory.files.update(files)
    bench.harvest()
    assert gone(bench) == 0
    assert set(bench.states().values()) == {VersionState.ARCHIVED}
    assert bench.archived().keys() - archived.keys() == {"Microscope 01/microscope/user_b/not_yet_archived.csv"}


def test_a_share_that_comes_back_is_as_if_nothing_had_been(bench: Any) -> None:
    fill(bench, 20)
    bench.harvest()
    files = dict(bench.laboratory.files)
    bench.laboratory.files.clear()
    assert outcome(bench) == SUSPECT

    bench.laboratory.files.update(files)

    sighting = discover(bench.facility, bench.instrument)
    assert (sighting.outcome, sighting.new_files, sighting.changed_files, gone(bench)) == (COMPLETE, 0, 0, 0)


def test_a_persons_word_is_good_for_the_one_look_that_needs_it(bench: Any) -> None:
    fill(bench, 40)
    bench.harvest()
    bench.change(bench.instrument, cleanup_acknowledged_at=bench.clock.time)
    assert outcome(bench) == COMPLETE  # nothing is missing: the word is kept
    lose(bench, 30)

    bench.clock.wait(30)
    sighting = discover(bench.facility, bench.instrument)

    assert (sighting.outcome, sighting.gone_files, sighting.acknowledged) == (COMPLETE, 30, True)
    assert "accepted because a user said that the share was cleaned up" in sighting.sentence()
    assert outcome(bench) == COMPLETE  # what was acknowledged no longer counts as lost
    lose(bench, 9)
    assert (outcome(bench), gone(bench)) == (SUSPECT, 30)


def test_a_persons_word_does_not_last(bench: Any) -> None:
    fill(bench, 40)
    bench.harvest()
    bench.change(bench.instrument, cleanup_acknowledged_at=bench.clock.time)
    bench.clock.time += timedelta(hours=25)
    bench.laboratory.files.clear()

    assert (outcome(bench), gone(bench)) == (SUSPECT, 0)


@given(known=st.integers(0, 200), gone_lately=st.integers(0, 200), threshold=st.floats(0.01, 1), data=st.data())
def test_what_is_believed_leaves_the_chosen_share_of_the_known_files(
    known: int, gone_lately: int, threshold: float, data: st.DataObject
) -> None:
    missing = data.draw(st.integers(0, known))
    seen = data.draw(st.integers(known - missing, 400))
    expectations = Expectations(known, missing, gone_lately)
    if suspicion(Instrument(shrink_threshold=threshold), expectations, seen=seen) is None and missing:
        assert seen > 0
        assert known + gone_lately < FEW_FILES or known - missing >= threshold * (known + gone_lately)
