import gc
from collections.abc import Iterator

import pytest

from streamweave.garbage import HARVESTING, SERVING, reduce_gc


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)


def test_a_process_that_harvests_seldom_searches_for_cycles() -> None:
    reduce_gc()
    assert gc.get_threshold() == HARVESTING


def test_a_process_that_serves_seldom_searches_in_full() -> None:
    reduce_gc(SERVING)
    assert gc.get_threshold() == SERVING
