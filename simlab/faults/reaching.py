"""Faults of the server and of the connection to it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from simlab.faults.line import Damage, cut, cut_after, once_passed, unharmed
from simlab.faults.stage import Stage

CUTS = 4


@contextmanager
def _damaged(stage: Stage, damage: Damage) -> Iterator[None]:
    stage.line.damage = damage
    try:
        yield
    finally:
        stage.line.damage = unharmed


@contextmanager
def freezes(stage: Stage) -> Iterator[None]:
    """The server freezes: all of its processes are stopped, connections stay open, and nothing is answered."""
    os.killpg(stage.server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(stage.server.pid, signal.SIGCONT)


@contextmanager
def freezes_during_copy(stage: Stage) -> Iterator[None]:
    """The server freezes when half of the largest file has passed."""

    def freeze() -> None:
        os.killpg(stage.server.pid, signal.SIGSTOP)

    try:
        with _damaged(stage, once_passed(stage.half_of_the_largest(), freeze)):
            yield
    finally:
        os.killpg(stage.server.pid, signal.SIGCONT)


@contextmanager
def drops_mid_file(stage: Stage) -> Iterator[None]:
    """The connection is cut once, when half of the largest file has passed; the next one works."""
    with _damaged(stage, cut_after(stage.half_of_the_largest(), times=1)):
        yield


@contextmanager
def drops_again_and_again(stage: Stage) -> Iterator[None]:
    """A connection is cut four times, each time after another eighth of the largest file."""
    with _damaged(stage, cut_after(stage.half_of_the_largest() // CUTS, times=CUTS)):
        yield


@contextmanager
def drops_always(stage: Stage) -> Iterator[None]:
    """Every connection is cut as soon as the server sends anything."""
    with _damaged(stage, cut()):
        yield


@contextmanager
def vanishes(stage: Stage) -> Iterator[None]:
    """The share is gone: the server answers, and the disk that it shared is not there any more."""
    away = stage.folder.with_name(f"{stage.folder.name}.unplugged")
    stage.folder.rename(away)
    try:
        yield
    finally:
        away.rename(stage.folder)
