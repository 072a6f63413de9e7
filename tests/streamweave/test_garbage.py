import gc
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from streamweave.garbage import SELDOM, reduced_gc


@pytest.fixture(autouse=True)
def before() -> Iterator[tuple[int, int, int]]:
    threshold = gc.get_threshold()
    yield threshold
    gc.set_threshold(*threshold)


def test_it_is_sought_seldom_until_the_block_ends(before: tuple[int, int, int]) -> None:
    with reduced_gc():
        assert gc.get_threshold() == SELDOM
    assert gc.get_threshold() == before


def test_of_blocks_that_overlap_the_last_one_ends_it(before: tuple[int, int, int]) -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(reduced_gc())
    second.enter_context(reduced_gc())
    first.close()
    assert gc.get_threshold() == SELDOM
    second.close()
    assert gc.get_threshold() == before
