"""What a generator reports after each step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Sleep = Callable[[float], object]


@dataclass(frozen=True)
class Step:
    """A file as it stands now: `size` bytes, and whether the instrument is done with it."""

    path: Path
    size: int
    finished: bool
