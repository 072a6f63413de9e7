"""How hard an instrument may be worked on."""

from streamweave.catalog.tables import Instrument
from streamweave.harvest.rate_limit import Pace, limits_of


class Seconds:
    """A monotonic clock that only waiting moves."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += seconds


def test_an_instrument_without_limits_has_four_connections_and_no_other_limit() -> None:
    limits = limits_of(Instrument(transfer_config=None, timezone="UTC"))
    assert (limits.connections, limits.bytes_per_second, limits.hours) == (4, None, ())


def test_no_more_is_taken_than_the_rate_allows() -> None:
    clock = Seconds()
    pace = Pace(1000, now=clock.now, wait=clock.wait)
    for _ in range(100):
        pace.take(250)
    assert clock.time >= (100 - 1) * 250 / 1000 - 1


def test_a_file_larger_than_the_bucket_passes_and_the_next_one_waits() -> None:
    clock = Seconds()
    clock.time = 10.0
    pace = Pace(1000, now=clock.now, wait=clock.wait)
    pace.take(60_000)
    assert clock.time == 10.0
    pace.take(1)
    assert clock.time == 70.0


def test_time_that_was_not_used_is_not_saved_up_for_long() -> None:
    clock = Seconds()
    pace = Pace(1000, now=clock.now, wait=clock.wait)
    clock.time = 3600.0
    for _ in range(3):
        pace.take(1000)
    assert clock.time == 3601.0


def test_without_a_rate_nobody_waits() -> None:
    clock = Seconds()
    pace = Pace(None, now=clock.now, wait=clock.wait)
    pace.take(1 << 40)
    pace.take(1 << 40)
    assert clock.time == 0.0
