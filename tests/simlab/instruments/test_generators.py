from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simlab.instruments import BLOCK_BYTES, Step, acquisition, burst, content_of, growing_file, large_file, renamed_file


def never_pausing(_seconds: float) -> None:
    """Stand in for `time.sleep`."""


def test_a_growing_file_stands_larger_under_its_final_name_after_each_row(tmp_path: Path) -> None:
    path = tmp_path / "user_a" / "run.csv"
    sizes = []
    for step in growing_file(tmp_path, "user_a/run.csv", rows=4, sleep=never_pausing):
        assert step.path == path
        assert path.stat().st_size == step.size
        sizes.append((step.size, step.finished))
    assert [finished for _, finished in sizes] == [False] * 4 + [True]
    assert sorted({size for size, _ in sizes}) == [size for size, finished in sizes if not finished]
    assert len(path.read_text().splitlines()) == 5


def test_a_growing_file_pauses_after_each_row(tmp_path: Path) -> None:
    pauses: list[float] = []
    list(growing_file(tmp_path, "run.csv", rows=3, pause_seconds=2.5, sleep=pauses.append))
    assert pauses == [2.5, 2.5, 2.5]


def test_a_renamed_file_has_its_final_name_only_when_complete(tmp_path: Path) -> None:
    *while_writing, last = (
        (step, {path.name for path in tmp_path.iterdir()})
        for step in renamed_file(tmp_path, "run.csv", rows=3, sleep=never_pausing)
    )
    assert [names for _, names in while_writing] == [{"run.csv.tmp"}] * 3
    assert not any(step.finished for step, _ in while_writing)
    step, names = last
    assert names == {"run.csv"}
    assert step == Step(tmp_path / "run.csv", (tmp_path / "run.csv").stat().st_size, finished=True)


def test_a_burst_writes_many_files_no_two_alike(tmp_path: Path) -> None:
    steps = list(burst(tmp_path, "plate_7", files=50, size=100, sleep=never_pausing))
    contents = {path.read_bytes() for path in (tmp_path / "plate_7").iterdir()}
    assert len(steps) == len(contents) == 50
    assert {len(content) for content in contents} == {100}
    assert all(step.finished for step in steps)


def test_an_acquisition_is_a_folder_of_folders_with_its_marker_last(tmp_path: Path) -> None:
    steps = list(acquisition(tmp_path, "user_a/run_1", files=12, size=100, sleep=never_pausing))
    below = [step.path.relative_to(tmp_path / "user_a" / "run_1").as_posix() for step in steps]
    assert below[0] == "position_000/frame_000000.raw"
    assert below[-2:] == ["position_001/frame_000011.raw", "done.txt"]
    assert len({step.path.read_bytes() for step in steps}) == 13


def test_an_acquisition_may_lack_its_marker(tmp_path: Path) -> None:
    steps = acquisition(tmp_path, "run_1", files=2, marker=False, sleep=never_pausing)
    assert {step.path.name for step in steps} == {"frame_000000.raw", "frame_000001.raw"}


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 1])
def test_a_large_file_has_the_size_asked_for(tmp_path: Path, size: int) -> None:
    *_, last = large_file(tmp_path, "stack.raw", size=size, sleep=never_pausing)
    assert last == Step(tmp_path / "stack.raw", size, finished=True)
    assert (tmp_path / "stack.raw").read_bytes() == b"".join(content_of(size))


def test_a_large_file_stands_on_the_disk_block_by_block(tmp_path: Path) -> None:
    steps = large_file(tmp_path, "stack.raw", size=3 * BLOCK_BYTES, sleep=never_pausing)
    for blocks in (1, 2, 3):
        assert next(steps).size == (tmp_path / "stack.raw").stat().st_size == blocks * BLOCK_BYTES


@given(size=st.integers(0, 3 * BLOCK_BYTES), first_block=st.integers(0, 1000))
def test_content_has_the_size_asked_for_in_blocks_no_two_alike(size: int, first_block: int) -> None:
    blocks = list(content_of(size, first_block=first_block))
    assert sum(map(len, blocks)) == size
    assert all(len(block) == BLOCK_BYTES for block in blocks[:-1])
    assert len(set(blocks)) == len(blocks)


@pytest.mark.parametrize("generator", [growing_file, renamed_file, burst, large_file, acquisition])
def test_no_generator_overwrites(tmp_path: Path, generator: Callable[..., Iterator[Step]]) -> None:
    list(generator(tmp_path, "taken", sleep=never_pausing, **({"size": 10} if generator is large_file else {})))
    with pytest.raises(FileExistsError):
        list(generator(tmp_path, "taken", sleep=never_pausing))
