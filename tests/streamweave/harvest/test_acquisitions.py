"""Folders that settle as one, over a real catalog."""

from typing import Any

import pytest
from sqlalchemy import func, select

from streamweave.catalog.tables import FileVersion, Transfer, TransferStatus, VersionState
from streamweave.errors import ShareDenied
from streamweave.harvest.plan import filter_files
from streamweave.harvest.run import scan

RUN = "microscope/user_a/run_1"


@pytest.fixture
def grouped(bench: Any) -> Any:
    """A bench on which each folder two levels below the base folder is one acquisition."""
    bench.change(bench.instrument, acquisition_depth=2)
    return bench


def look_after(bench: Any, seconds: float) -> dict[str, VersionState]:
    bench.clock.wait(seconds)
    scan(bench.facility, bench.instrument)
    states: dict[str, VersionState] = bench.states()
    return states


def test_no_file_of_an_acquisition_settles_while_others_still_come(grouped: Any) -> None:
    for number in range(5):
        grouped.write(f"{RUN}/frame_{number}.raw")
        states = look_after(grouped, 4)
        assert set(states.values()) == {VersionState.SETTLING}

    first = grouped.version(f"{RUN}/frame_0.raw")
    assert (first.observed_at - first.unchanged_since).total_seconds() > 5, "by itself it would have settled"
    changed = grouped.version(f"{RUN}/frame_4.raw").unchanged_since
    assert first.reason == (
        f"its acquisition folder {RUN} was last seen to change at {changed:%Y-%m-%d %H:%M:%S} UTC; "
        "it must be quiet for 5 s"
    )
    assert set(look_after(grouped, 5).values()) == {VersionState.SETTLED}


def test_a_file_that_changes_holds_up_those_deep_below_and_beside_it_but_no_other_folder(grouped: Any) -> None:
    for path in (f"{RUN}/info.txt", f"{RUN}/deep/er/a.raw", "microscope/user_a/run_2/a.raw", "microscope/loose.csv"):
        grouped.write(path)
    scan(grouped.facility, grouped.instrument)
    grouped.write(f"{RUN}/info.txt", b"another size")

    states = look_after(grouped, 5)

    assert states == {
        f"{RUN}/info.txt": VersionState.SETTLING,
        f"{RUN}/deep/er/a.raw": VersionState.SETTLING,
        "microscope/user_a/run_2/a.raw": VersionState.SETTLED,
        "microscope/loose.csv": VersionState.SETTLED,
    }


def test_depth_counts_below_the_base_path(bench: Any) -> None:
    bench.change(bench.instrument, acquisition_depth=1, cifs_base_path="/user_a/")
    bench.write(f"{RUN}/a.raw")
    bench.write("microscope/user_a/run_2/a.raw")
    scan(bench.facility, bench.instrument)
    bench.write(f"{RUN}/b.raw")

    states = look_after(bench, 5)

    assert states[f"{RUN}/a.raw"] == VersionState.SETTLING
    assert states["microscope/user_a/run_2/a.raw"] == VersionState.SETTLED


def test_what_had_settled_and_was_not_copied_yet_settles_anew_with_what_comes(grouped: Any) -> None:
    grouped.write(f"{RUN}/a.raw")
    scan(grouped.facility, grouped.instrument)
    assert look_after(grouped, 5) == {f"{RUN}/a.raw": VersionState.SETTLED}
    filter_files(grouped.facility, grouped.instrument)
    assert grouped.states() == {f"{RUN}/a.raw": VersionState.PENDING}

    grouped.write(f"{RUN}/b.raw")
    assert set(look_after(grouped, 1).values()) == {VersionState.SETTLING}
    [withdrawn] = grouped.transfers(f"{RUN}/a.raw")
    assert (withdrawn.status, withdrawn.error_message) == (
        "skipped",
        "its acquisition folder changed again before it was harvested",
    )

    grouped.harvest()
    assert set(grouped.states().values()) == {VersionState.ARCHIVED}


def test_a_file_that_comes_after_its_acquisition_was_harvested_settles_by_itself(grouped: Any) -> None:
    grouped.write(f"{RUN}/a.raw")
    grouped.harvest()
    grouped.write(f"{RUN}/late.raw")
    look_after(grouped, 1)
    grouped.write(f"{RUN}/later.raw")

    states = look_after(grouped, 5)

    assert states[f"{RUN}/late.raw"] == VersionState.SETTLED
    assert states[f"{RUN}/later.raw"] == VersionState.SETTLING
    late = f"; it came after its acquisition folder {RUN} was harvested"
    assert grouped.version(f"{RUN}/late.raw").reason == f"unchanged over the quiet period{late}"
    assert grouped.version(f"{RUN}/later.raw").reason == f"seen unchanged for 0 of 5 s{late}"
    assert states[f"{RUN}/a.raw"] == VersionState.ARCHIVED


def test_one_marker_finishes_the_whole_acquisition(grouped: Any) -> None:
    grouped.change(grouped.instrument, marker_name="done.txt")
    grouped.write(f"{RUN}/a.raw")
    grouped.write(f"{RUN}/deep/b.raw")
    grouped.write(f"{RUN}/deep/done.txt")
    grouped.harvest()
    assert set(grouped.states().values()) == {VersionState.SETTLING}
    assert grouped.version(f"{RUN}/a.raw").reason == (
        f"its acquisition folder {RUN} lacks a marker file ('done.txt' in it)"
    )

    grouped.write(f"{RUN}/done.txt", b"")
    grouped.harvest()

    assert set(grouped.states().values()) == {VersionState.ARCHIVED}


def test_the_markers_of_files_are_waited_for_together(grouped: Any) -> None:
    grouped.change(grouped.instrument, marker_suffix=".ok")
    for name in ("a.raw", "a.raw.ok", "b.raw"):
        grouped.write(f"{RUN}/{name}")
    grouped.harvest()
    assert set(grouped.states().values()) == {VersionState.SETTLING}
    assert grouped.version(f"{RUN}/a.raw").reason == (
        f"its acquisition folder {RUN} lacks a marker file (a file's name + '.ok')"
    )

    grouped.write(f"{RUN}/b.raw.ok", b"")
    grouped.harvest()

    assert set(grouped.states().values()) == {VersionState.ARCHIVED}


def test_a_file_held_open_holds_up_its_acquisition(grouped: Any) -> None:
    grouped.change(grouped.instrument, probe_open_writer=True)
    grouped.write(f"{RUN}/a.raw")
    grouped.write(f"{RUN}/b.raw")
    grouped.laboratory.open_writers.add(f"{RUN}/b.raw")
    grouped.harvest()
    held = f"its acquisition folder {RUN} holds a file that is still open for writing at the instrument"
    assert [grouped.version(f"{RUN}/{name}.raw").reason for name in "ab"] == [held, held]

    grouped.laboratory.open_writers.clear()
    grouped.harvest()

    assert set(grouped.states().values()) == {VersionState.ARCHIVED}


@pytest.mark.parametrize("closed", [f"{RUN}/deep", RUN, "microscope/user_a"])
def test_a_folder_part_of_which_could_not_be_listed_has_not_settled(grouped: Any, closed: str) -> None:
    grouped.write(f"{RUN}/a.raw")
    grouped.laboratory.folders.add(f"{RUN}/deep")
    scan(grouped.facility, grouped.instrument)
    grouped.clock.wait(5)
    scan(grouped.facility, grouped.instrument)
    grouped.write(f"{RUN}/b.raw")
    scan(grouped.facility, grouped.instrument)
    grouped.laboratory.listing_faults[closed] = ShareDenied(f"{closed} may not be listed")

    states = look_after(grouped, 10)

    assert states[f"{RUN}/a.raw"] == states[f"{RUN}/b.raw"] == VersionState.SETTLING
    assert grouped.version(f"{RUN}/a.raw").reason == f"its acquisition folder {RUN} has not been seen as a whole"


def test_a_look_that_runs_out_of_time_settles_no_acquisition(grouped: Any) -> None:
    grouped.write(f"{RUN}/a.raw")
    scan(grouped.facility, grouped.instrument)
    grouped.clock.wait(10)

    scan(grouped.facility, grouped.instrument, budget_seconds=0.0)

    assert grouped.version(f"{RUN}/a.raw").state == VersionState.SETTLING


def test_a_look_that_is_not_believed_settles_no_acquisition(grouped: Any) -> None:
    for number in range(20):
        grouped.write(f"microscope/{number:02}.csv")
    grouped.harvest()
    grouped.laboratory.files.clear()
    grouped.write(f"{RUN}/a.raw")
    grouped.write("microscope/loose.csv")
    look_after(grouped, 1)

    states = look_after(grouped, 10)

    assert states[f"{RUN}/a.raw"] == VersionState.SETTLING
    assert states["microscope/loose.csv"] == VersionState.SETTLED


def test_an_acquisition_that_never_comes_to_rest_is_overdue(grouped: Any) -> None:
    grouped.change(grouped.instrument, max_wait_seconds=30)
    for number in range(11):
        grouped.write(f"{RUN}/frame_{number:02}.raw")
        states = look_after(grouped, 4)
    assert states[f"{RUN}/frame_00.raw"] == VersionState.OVERDUE
    assert grouped.version(f"{RUN}/frame_00.raw").reason.startswith(
        f"not finished after 30 s: its acquisition folder {RUN} was last seen to change at "
    )


def test_a_large_acquisition_is_judged_in_a_bounded_number_of_statements(grouped: Any, engine: Any) -> None:
    from sqlalchemy import event

    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    numbers = []
    for files in (10, 1_000):
        for number in range(files):
            grouped.write(f"microscope/user_a/run_{files}/frame_{number:04}.raw")
        scan(grouped.facility, grouped.instrument)
        statements.clear()
        look_after(grouped, 5)
        numbers.append(len(statements))
    assert numbers[1] <= numbers[0] + 5
    with grouped.facility.sessions() as session:
        assert session.scalar(select(func.count()).where(FileVersion.state == VersionState.SETTLED)) == 1_010
        assert session.scalar(select(func.count()).select_from(Transfer)) == 0


def test_an_acquisition_whose_copies_are_damaged_was_harvested(grouped: Any) -> None:
    grouped.write(f"{RUN}/a.raw")
    grouped.harvest()
    (transfer,) = grouped.transfers(f"{RUN}/a.raw")
    grouped.change(transfer, status=TransferStatus.DAMAGED, damage="it is no longer there")
    grouped.write(f"{RUN}/late.raw")
    look_after(grouped, 1)
    look_after(grouped, 5)
    assert grouped.version(f"{RUN}/late.raw").reason.endswith("was harvested")
