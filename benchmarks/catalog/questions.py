"""What is asked of the service, by whom, and what the answer may cost."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlencode

from benchmarks.catalog.people import ADMIN, FOLDERS, FOLDERS_ON, MANY, NOBODY, ONE, THE_PROJECT, THEIR_INSTRUMENT
from benchmarks.catalog.stopwatch import Asked, Client
from benchmarks.catalog.world import COMMON, END, EVERYWHERE, NOWHERE, OLD, RARE, RUN, World, identity

Viewer = str | int
NEXT = re.compile(r'<([^>]+)>; rel="next"')
DAY = timedelta(days=1)
SELDOM = 15  # rounds, in one of which what may take long is asked


class Goal(StrEnum):
    """What is hoped for."""

    FAST = "fast"  # p99 below 25 ms, and at most twice that of the small catalog
    NONE = "none"  # measured, and on record


@dataclass(frozen=True, slots=True)
class Question:
    """A GET by somebody."""

    name: str
    viewer: Viewer
    path: str
    goal: Goal = Goal.FAST
    depth: int = 0  # pages to turn first

    def asked(self, client: Client, token: str) -> Asked:
        """What to ask for, once the pages before it are turned."""
        path = self.path
        for _ in range(self.depth):
            following = NEXT.search(client.get(path, token).headers.get("link", ""))
            path = following[1] if following else path
        return Asked(self.name, path, token, every=1 if self.goal is Goal.FAST else SELDOM)


def questions(world: World) -> Iterator[Question]:
    """All questions, in the order of the report."""
    yield from _pages()
    for viewer, whose in ((ADMIN, "admin"), (MANY, "5 % of all files")):
        for name, filters in _filters(world):
            yield Question(f"filter {name}, {whose}", viewer, files(**filters))
        for name, word in (
            ("everywhere", EVERYWHERE),
            ("common", COMMON),
            ("old", OLD),
            ("rare", RARE),
            ("no hit", NOWHERE),
        ):
            yield Question(f"search {name} word, {whose}", viewer, files(q=word), Goal.NONE)
    yield from _others(world)


def files(**filters: object) -> str:
    """The list of files."""
    return f"/api/files?{urlencode(filters)}" if filters else "/api/files"


def _pages() -> Iterator[Question]:
    yield Question("first page, admin", ADMIN, files())
    yield Question("page 30, admin", ADMIN, files(), depth=29)
    yield Question("first page, 5 % of all files", MANY, files())
    yield Question("page 30, 5 % of all files", MANY, files(), depth=29)
    yield Question("first page, ten folders", FOLDERS, files())
    yield Question("instrument, ten folders", FOLDERS, files(instrument_id=identity("instrument", FOLDERS_ON[1])))
    yield Question("first page, one file", ONE, files())
    yield Question("first page, nothing", NOBODY, files())


def _filters(world: World) -> Iterator[tuple[str, dict[str, object]]]:
    file = world.file(world.files // 3)
    yield "instrument (large)", {"instrument_id": identity("instrument", 0)}
    yield "instrument (their own)", {"instrument_id": identity("instrument", THEIR_INSTRUMENT)}
    yield "state archived", {"state": "archived"}
    yield "state skipped", {"state": "skipped"}
    yield "state failed", {"state": "failed"}
    yield "state settled (none)", {"state": "settled"}
    yield "project", {"project_id": identity("project", THE_PROJECT)}
    yield (
        "project and instrument",
        {
            "project_id": identity("project", THE_PROJECT),
            "instrument_id": identity("instrument", 0),
        },
    )
    yield "owner", {"owner_id": identity("user", 100)}
    yield "acquired in the last month", {"acquired_from": (END - 30 * DAY).isoformat()}
    yield "acquired on a day of the first year", _acquired(200, 201)
    yield "acquired in a month of the first year", _acquired(200, 230)
    yield "size (common)", {"min_size": 1_000_000}
    yield "size (rare)", {"min_size": 10_000_000_000}
    yield "extension (common)", {"extension": "tif"}
    yield "extension (rare)", {"extension": "cif"}
    yield "metadata (common)", {"metadata.technique": "sem"}
    yield "metadata (one in a thousand)", {"metadata.technique": "squid"}
    yield "metadata (nested)", {"metadata.detector.name": "D7"}
    yield "metadata (one run)", {"metadata.sample": f"S-{file.number // RUN:06}"}


def _acquired(first_day: int, last_day: int) -> dict[str, object]:
    beginning = END - timedelta(days=5.5 * 365)
    return {
        "acquired_from": (beginning + first_day * DAY).isoformat(),
        "acquired_to": (beginning + last_day * DAY).isoformat(),
    }


def _others(world: World) -> Iterator[Question]:
    one = f"/api/files/{identity('file', world.files // 3)}"
    for viewer, whose in ((ADMIN, "admin"), (ONE, "one file")):
        yield Question(f"one file, {whose}", viewer, one)
    yield Question("its versions, admin", ADMIN, f"{one}/versions")
    yield Question("its transfers, admin", ADMIN, f"{one}/transfers")
    yield Question("its transfers, one file", ONE, f"{one}/transfers")
    for viewer, whose in VIEWERS:
        yield Question(f"transfers, {whose}", viewer, "/api/transfers")
    for viewer, whose in VIEWERS:
        yield Question(f"count of all, {whose}", viewer, files(limit=1, count="true"), Goal.NONE)
    days = urlencode({"from_day": (END - 30 * DAY).date(), "to_day": END.date()})
    for viewer, whose in VIEWERS:
        yield Question(f"summary of 30 days, {whose}", viewer, f"/api/summary?{days}", Goal.NONE)


VIEWERS: tuple[tuple[Viewer, str], ...] = (
    (ADMIN, "admin"),
    (MANY, "5 % of all files"),
    (FOLDERS, "ten folders"),
    (ONE, "one file"),
    (NOBODY, "nothing"),
)
