"""Waiting for conditions, and what a test looks at in a process."""

import time
from collections.abc import Callable

import pytest

DEADLINE_SECONDS = 60.0


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds; fail when it doesn't within `DEADLINE_SECONDS`."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "the condition was never met"
            time.sleep(0.02)

    return wait
