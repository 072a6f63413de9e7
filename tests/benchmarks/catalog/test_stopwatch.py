"""What the percentiles of some times are."""

import pytest

from benchmarks.catalog.stopwatch import Times


@pytest.mark.parametrize(("requests", "late"), [(1, 1), (10, 10), (100, 99), (300, 297), (301, 298)])
def test_the_99th_percentile_is_the_smallest_time_within_which_99_of_100_requests_end(requests: int, late: int) -> None:
    assert Times.of([number / 1000 for number in range(requests, 0, -1)]).p99 == pytest.approx(late)


def test_the_median_is_that_of_the_requests_in_order() -> None:
    assert Times.of([0.003, 0.001, 0.002]).p50 == pytest.approx(2)
