"""A contest: the same work by several contestants, in turns, in several rounds.

Each round begins with another contestant. Before each turn the source is read once, so that it comes from memory for
everyone, and what earlier turns wrote is on the disk, so that nobody pays for it.

What many files were written to is kept until all is over. An ext4 without a journal does not give out the inode of a
file again for some minutes after its deletion, and each file that is made has to pass over all of those: a thousand
deleted files can cost the next contestant more than its work.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import Any

from benchmarks.setting import Setting

WARMING_BYTES = 1 << 20
FEW_FILES = 10  # whose deletion costs nobody anything, and which may be large


@dataclass(frozen=True, slots=True)
class Turn:
    """What one contestant did in one round. ``cpu_seconds`` are those of the client, ``details`` whatever else."""

    seconds: float
    files: int
    bytes: int
    cpu_seconds: float
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def files_per_second(self) -> float:
        """The pace in files."""
        return self.files / self.seconds

    @property
    def mib_per_second(self) -> float:
        """The pace in MiB (2**20 bytes)."""
        return self.bytes / self.seconds / (1 << 20)


@dataclass(frozen=True, slots=True)
class Contestant:
    """``take_turn`` gets an empty folder to write to; only what it measures itself counts."""

    name: str
    take_turn: Callable[[Path], Turn]


@dataclass(frozen=True)
class Results:
    """Every turn of every contestant, in order."""

    turns: Mapping[str, Sequence[Turn]]

    def median(self, name: str, figure: Callable[[Turn], float]) -> float:
        """The median over the rounds of one contestant's figure."""
        return median(map(figure, self.turns[name]))

    def ratio(self, name: str, other: str, figure: Callable[[Turn], float]) -> float | None:
        """How many times the other's median one contestant reaches; None when either did not take part."""
        if name not in self.turns or other not in self.turns:
            return None
        return self.median(name, figure) / self.median(other, figure)

    def as_numbers(self) -> dict[str, Any]:
        """Everything that was measured."""
        return {name: [asdict(turn) for turn in turns] for name, turns in self.turns.items()}


def hold(setting: Setting, title: str, source: Path, contestants: Sequence[Contestant], *, written: int = 0) -> Results:
    """Let every contestant work on the content of the folder ``source``, once in each round.

    Each of them leaves ``written`` files in its destination.
    """
    turns: dict[str, list[Turn]] = {contestant.name: [] for contestant in contestants}
    for number in range(setting.rounds):
        for contestant in _rotated(contestants, number):
            setting.say(f"{title}, round {number + 1} of {setting.rounds}: {contestant.name}")
            destination = Path(mkdtemp(prefix="destination_", dir=setting.work))
            warm(source)
            os.sync()
            turns[contestant.name].append(contestant.take_turn(destination))
            if written <= FEW_FILES:
                shutil.rmtree(destination)
    return Results(turns)


def warm(folder: Path) -> None:
    """Have every file below ``folder`` in the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(WARMING_BYTES):
                    pass


def _rotated(contestants: Sequence[Contestant], places: int) -> Sequence[Contestant]:
    places %= len(contestants)
    return [*contestants[places:], *contestants[:places]]
