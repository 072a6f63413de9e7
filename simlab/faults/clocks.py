"""Instruments whose clocks are wrong, as the times of their files show."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from simlab.faults.stage import Stage

HOUR = 3_600.0
AHEAD_HOURS = 50.0
JUMPS_HOURS = (0.0, 9.5, -300_000.0, 40.0, -9.5)
"""By how far each file's clock is off, one after the other; the third was set at the factory, decades ago."""


def _set(stage: Stage, hours: Iterator[float]) -> None:
    for file, off in zip(stage.files(), hours, strict=False):
        wrong = time.time() + off * HOUR
        os.utime(file, (wrong, wrong))


@contextmanager
def clock_ahead(stage: Stage) -> Iterator[None]:
    """The instrument's clock is 50 hours ahead, as all its files show; they stay so."""
    _set(stage, (AHEAD_HOURS for _ in stage.files()))
    yield


@contextmanager
def clock_jumps(stage: Stage) -> Iterator[None]:
    """The instrument's clock jumps from file to file: hours on, hours back, and decades back; they stay so."""
    _set(stage, (JUMPS_HOURS[number % len(JUMPS_HOURS)] for number, _ in enumerate(stage.files())))
    yield
