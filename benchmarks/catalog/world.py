"""A facility of any size, the same at each run: everything about file ``n`` follows from ``n``.

Files come in runs of twenty, as instruments write them: in one folder, one after the other. Big instruments make many
times more of them than small ones. What is granted grows with the files; who there is doesn't.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import accumulate
from random import Random
from typing import Any
from uuid import UUID

INSTRUMENTS, USERS, GROUPS, PROJECTS = 200, 1_000, 50, 100
PERSONS = 8  # who work on each instrument, in folders of their own
RUN = 20  # files
BEGINNING, END = datetime(2021, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)

EVERYWHERE = "scan"  # a word that every path has
COMMON, COMMON_SHARE = "graphene", 0.03
OLD, OLD_UNTIL = "perovskite", 0.2  # one run in ten, but only in the first fifth of all time
RARE = "unobtainium"  # of one run
NOWHERE = "phlogiston"
WORDS = (
    "alloy",
    "anode",
    "battery",
    "catalyst",
    "cathode",
    "cell",
    "ceramic",
    "coating",
    "crystal",
    "device",
    "dye",
    "film",
    "foil",
    "foam",
    "glass",
    "graft",
)
TECHNIQUES = {"sem": 40, "tem": 25, "xrd": 20, "raman": 10, "afm": 4.9, "squid": 0.1}
EXTENSIONS = {"tif": 50, "csv": 25, "h5": 15, "raw": 8, "xml": 1.9, "cif": 0.1}
STATES = {
    "archived": 93,
    "skipped": 5,
    "unchanged": 0.5,
    "pending": 0.5,
    "settling": 0.3,
    "failed": 0.2,
    "vanished": 0.3,
    "overdue": 0.1,
    "unreadable": 0.1,
}


def identity(kind: str, number: int) -> UUID:
    """The id of the ``number``-th of a kind."""
    return UUID(bytes=blake2b(f"{kind} {number}".encode(), digest_size=16).digest(), version=4)


def drawn(random: Random, weights: dict[str, float]) -> str:
    """One of the words, by weight."""
    return random.choices(list(weights), list(weights.values()))[0]


@dataclass(frozen=True, slots=True)
class Run:
    """What the files of one run have in common."""

    instrument: int
    folder: str
    extension: str
    owner: int | None
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """A file; ``versions`` is how often its content changed, plus one."""

    number: int
    run: Run
    filename: str
    size_bytes: int
    state: str
    versions: int
    discovered_at: datetime

    @property
    def id(self) -> UUID:
        """Its record's."""
        return identity("file", self.number)

    @property
    def source_path(self) -> str:
        """As in the catalog: the share first."""
        return f"{self.run.folder}/{self.filename}"

    @property
    def source_mtime(self) -> datetime:
        """A minute or an hour before it was discovered."""
        return self.discovered_at - timedelta(minutes=1 + self.number % 60)


@dataclass(frozen=True)
class World:
    """A facility with ``files`` files."""

    files: int
    seed: int = 3

    def random(self, *about: object) -> Random:
        """Chance that is the same whenever it is about the same."""
        return Random(" ".join(map(str, (self.seed, *about))))

    @cached_property
    def _heaps(self) -> list[float]:
        return list(accumulate(1 / (instrument + 5) for instrument in range(INSTRUMENTS)))

    def run(self, number: int) -> Run:
        """The ``number``-th run."""
        random, runs = self.random("run", number), max(1, self.files // RUN)
        instrument = bisect_right(self._heaps, random.random() * self._heaps[-1])
        person = random.randrange(PERSONS)
        words = [random.choice(WORDS), random.choice(WORDS)]
        if random.random() < COMMON_SHARE:
            words.append(COMMON)
        if number < OLD_UNTIL * runs and random.random() < 0.1:
            words.append(OLD)
        if number == runs // 2:
            words.append(RARE)
        folder = f"{share(instrument)}/person_{person:02}/{'_'.join(words)}/run_{number:06}"
        owner = instrument * PERSONS + person if random.random() < 0.3 else None
        metadata = {
            "technique": drawn(random, TECHNIQUES),
            "sample": f"S-{number:06}",
            "temperature_k": random.randrange(4, 400),
            "detector": {"name": f"D{random.randrange(12)}", "binning": random.choice([1, 2, 4])},
        }
        return Run(instrument, folder, drawn(random, EXTENSIONS), owner and owner % USERS, metadata)

    def file(self, number: int) -> File:
        """The ``number``-th file; the last one was discovered last."""
        random = self.random("file", number)
        run = _run(self, number // RUN)
        return File(
            number=number,
            run=run,
            filename=f"{EVERYWHERE}_{number % RUN:03}.{run.extension}",
            size_bytes=int(random.lognormvariate(14, 2.5)),
            state=drawn(random, STATES),
            versions=random.choices((1, 2, 3), (94, 5, 1))[0],
            discovered_at=self.discovered_at(number),
        )

    def discovered_at(self, number: int) -> datetime:
        """When the ``number``-th file was first seen."""
        return BEGINNING + (END - BEGINNING) * (number / self.files)

    def all_files(self) -> Iterator[File]:
        """In the order in which they were discovered."""
        return map(self.file, range(self.files))


@lru_cache(maxsize=1024)
def _run(world: World, number: int) -> Run:
    return world.run(number)


def share(instrument: int) -> str:
    """The name of an instrument's share, which its paths begin with."""
    return f"instrument_{instrument:03}"
