"""How far a run's transfers are."""

from typing import Any

from sqlalchemy import select

from streamweave.catalog.tables import HarvestRun
from streamweave.harvest.progress import Meter, Progress, progress_of
from streamweave.harvest.run import harvest


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


def test_rate_and_time_left_follow_from_what_was_done() -> None:
    clock = Seconds()
    meter = Meter(clock.now)
    meter.expect(10, 10_000)
    clock.time = 2.0
    for number in range(5):
        meter.done(number, 1000)
    assert meter.progress() == Progress(5, 10, 5000, 10_000, 2.5, 2500.0, 2.0)


def test_of_a_large_file_what_was_read_counts() -> None:
    clock = Seconds()
    meter = Meter(clock.now)
    meter.expect(1, 100 << 20)
    clock.time = 1.0
    meter.read("a", 25 << 20)
    progress = meter.progress()
    assert (progress.files, progress.bytes) == (0, 25 << 20)
    assert 3.0 <= (progress.seconds_left or 0) <= 3.1
    meter.done("a", 100 << 20)
    assert meter.progress().bytes == 100 << 20


def test_before_anything_is_done_nothing_is_said_about_the_time_left() -> None:
    clock = Seconds()
    meter = Meter(clock.now)
    meter.expect(3, 300)
    clock.time = 5.0
    assert meter.progress().seconds_left is None


def test_the_rate_is_that_of_the_time_just_before() -> None:
    clock = Seconds()
    meter = Meter(clock.now)
    meter.expect(1000, 1000)
    for second in range(200):
        clock.time = float(second)
        meter.progress()
        if second < 100:
            meter.done(second, 1)
    assert meter.progress().files_per_second == 0.0


def test_more_than_was_expected_is_still_no_more_than_all() -> None:
    meter = Meter()
    meter.expect(1, 1)
    for number in range(3):
        meter.done(number, 5)
    progress = meter.progress()
    assert (progress.files, progress.files_total, progress.bytes, progress.bytes_total) == (3, 3, 15, 15)
    assert progress.seconds_left == 0.0


def test_it_is_told_in_one_sentence() -> None:
    progress = Progress(1500, 20_000, 3 << 20, 5 << 30, 612.4, 2.5e6, 3725.0)
    assert progress.sentence() == ("1,500 of 20,000 files, 3.0 MiB of 5.0 GiB, 612 files/s, 2.4 MiB/s, 1:02:05 left")


def test_a_harvest_tells_its_progress_and_leaves_it_with_the_run(bench: Any) -> None:
    told: list[Progress] = []
    for number in range(5):
        bench.write(f"microscope/{number}.csv", b"12345")

    harvest(bench.facility, bench.instrument, dagster_run_id="run-1", on_progress=told.append)

    assert (told[-1].files, told[-1].files_total, told[-1].bytes, told[-1].bytes_total) == (5, 5, 25, 25)
    with bench.facility.sessions() as session:
        assert session.scalars(select(HarvestRun.progress)).one() == told[-1].as_row()
        assert progress_of(session, "run-1") == told[-1]
        assert progress_of(session, "run-2") is None
