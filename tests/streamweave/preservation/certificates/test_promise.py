"""The promise: whoever deletes at the source what a certificate calls safe loses nothing.

Random lives of a small instrument, through the real harvest into real folders. After each step all that is called
safe is held against the bytes: in every storage location that it is meant for stand those that the last complete look
found at the source; and, after everything was read again, those that stand at the source now.
"""

import io
import json
import os
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from fakes.memory_source import MemoryFile, MemorySource
from streamweave.catalog.tables import GrowingFiles
from streamweave.errors import FileReadFailed, NothingKnown, ShareDenied
from streamweave.preservation.certificates.judgement import Verdict, judge, required_places
from streamweave.preservation.repair import repair_copies
from streamweave.sources.base import FolderListing

PATHS = ["microscope/a/1.csv", "microscope/a/2.csv", "microscope/b/1.csv", "microscope/b/deep/2.csv"]
FOLDERS = ["microscope/a", "microscope/b"]

Step = tuple[str, int]

IN_THE_SUITE = 3
# a long run has other lives each time
LIVES = int(os.environ.get("RANDOM_LIVES", IN_THE_SUITE))


class Watched(MemorySource):
    """A connection that remembers what stood where when it was listed."""

    def __init__(self, life: "Life") -> None:
        super().__init__(life.site.laboratory)
        self._life = life

    def listings(self, passing_over: Container[str] = ()) -> Iterator[FolderListing]:
        if passing_over == ():
            self._life.listed = {}
        for listing in super().listings(passing_over):
            for file in listing.files:
                self._life.listed[file.source_path] = self._life.content(file.source_path)
            yield listing


@dataclass
class Life:
    """One instrument, what has happened to it, and what its last complete look found."""

    site: Any
    listed: dict[str, bytes | None] = field(default_factory=dict)
    found: dict[str, bytes | None] = field(default_factory=dict)
    swapped: set[str] = field(default_factory=set)
    rotten: set[str] = field(default_factory=set)
    steps: int = 0

    def content(self, path: str) -> bytes | None:
        file = self.site.laboratory.files.get(path)
        return None if file is None else bytes(file.content)

    def step(self, step: Step) -> None:
        name, number = step
        self.steps += 1
        self.site.clock.wait(120)
        scan = self.last_complete()
        getattr(self, name)(PATHS[number % len(PATHS)], number)
        if self.last_complete() != scan:
            self.found = dict(self.listed)

    def last_complete(self) -> Any:
        circumstances, _ = self.site.evidence()
        return circumstances.last_scan and circumstances.last_scan.scan_id

    def write(self, path: str, number: int) -> None:
        self.site.laboratory.write(path, f"content {number} of step {self.steps}".encode(), self.site.clock.time)
        self.swapped.discard(path)

    def touch(self, path: str, _: int) -> None:
        if path in self.site.laboratory.files:
            self.site.laboratory.write(path, self.content(path), self.site.clock.time)

    def remove(self, path: str, _: int) -> None:
        self.site.laboratory.files.pop(path, None)

    def swap(self, path: str, number: int) -> None:
        """Another content under the same size and time, which no look can see."""
        if file := self.site.laboratory.files.get(path):
            file.content = bytes(number for _ in file.content)
            self.swapped.add(path)

    def hide_for_a_look(self, path: str, _: int) -> None:
        file = self.site.laboratory.files.pop(path, None)
        self.site.look()
        self.found = dict(self.listed)
        if file:
            self.site.laboratory.files[path] = file

    def harvest(self, *_: Any) -> None:
        self.site.harvest()

    def look(self, *_: Any) -> None:
        self.site.look()

    def look_at_some(self, _: str, number: int) -> None:
        self.site.look_at_some(1 + number % 4)

    def look_at_an_empty_share(self, *_: Any) -> None:
        files, self.site.laboratory.files = self.site.laboratory.files, {}
        self.site.look()
        self.site.laboratory.files = files

    def deny_a_folder(self, _: str, number: int) -> None:
        faults = self.site.laboratory.listing_faults
        folder = FOLDERS[number % 2]
        if faults.pop(folder, None) is None:
            faults[folder] = ShareDenied("not for you")

    def deny_a_file(self, path: str, _: int) -> None:
        faults = self.site.laboratory.file_faults
        if faults.pop(path, None) is None:
            faults[path] = FileReadFailed("a bad sector")

    def change_during_the_copy(self, path: str, number: int) -> None:
        def rewrite(read: str) -> None:
            if read == path:
                self.site.laboratory.while_reading = None
                self.write(path, number)

        self.site.laboratory.while_reading = rewrite
        self.site.harvest()
        self.site.laboratory.while_reading = None

    def add_a_location(self, *_: Any) -> None:
        if "second" not in self.site.archives:
            self.site.add_archive("second")

    def rot(self, _: str, number: int) -> None:
        """Bytes in an archive become others behind the same size and time, and nobody notices yet."""
        for copy in self.some_copy(number):
            status = copy.stat()
            copy.write_bytes(bytes(byte ^ 1 for byte in copy.read_bytes()))
            os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
            self.rotten.add(str(copy))

    def delete_a_copy(self, _: str, number: int) -> None:
        for copy in self.some_copy(number):
            copy.unlink()

    def truncate_a_copy(self, _: str, number: int) -> None:
        for copy in self.some_copy(number):
            copy.write_bytes(copy.read_bytes()[:-1])

    def write_to_a_copy(self, _: str, number: int) -> None:
        """Other bytes of the same length, and the time says so."""
        for copy in self.some_copy(number):
            copy.write_bytes(bytes(byte ^ 2 for byte in copy.read_bytes()))
            self.site.touch_copy(copy)

    def replace_a_copy_by_a_folder(self, _: str, number: int) -> None:
        for copy in self.some_copy(number):
            copy.unlink()
            copy.mkdir()

    def unmount_or_mount(self, _: str, number: int) -> None:
        """What is unmounted leaves nothing, or an empty folder."""
        name = sorted(self.site.archives)[number % len(self.site.archives)]
        place = Path(self.site.archives[name].base_path)
        if Path(f"{place} unmounted").exists():
            if place.exists():
                place.rename(f"{place} {self.steps}")
            self.site.mount(name)
        elif place.exists():
            self.site.unmount(name)
            if number % 3 == 0:
                place.mkdir()

    def exchange_disks(self, *_: Any) -> None:
        places = [Path(each.base_path) for each in self.site.archives.values()]
        if len(places) > 1 and all(place.exists() for place in places):
            places[0].rename(f"{places[0]} exchanged")
            places[1].rename(places[0])
            Path(f"{places[0]} exchanged").rename(places[1])

    def some_copy(self, number: int) -> Iterator[Path]:
        copies = sorted(str(path) for location in self.site.archives.values() for path in published(location))
        if copies:
            copy = Path(copies[number % len(copies)])
            copy.chmod(0o644)
            yield copy

    def verify(self, *_: Any) -> None:
        self.site.sweep()
        self.rotten.clear()

    def repair(self, *_: Any) -> None:
        repair_copies(self.site.facility, self.site.instrument)

    def reread_at_the_source(self, *_: Any) -> None:
        """Nothing is swapped that is now known to be another content."""
        self.swapped.difference_update(self.site.reread_at_the_source().changed)

    def grow_for_long(self, path: str, number: int) -> None:
        """It is archived though it may not be finished; then it stops, or it doesn't."""
        self.site.change(self.site.instrument, growing_files=GrowingFiles.VERSIONS, max_wait_seconds=60)
        for _ in range(3):
            self.site.laboratory.files.setdefault(path, MemoryFile(b"", self.site.clock.time))
            self.site.laboratory.append(path, f"line {number}\n".encode(), self.site.clock.time)
            self.site.look_and_judge()
        self.found = dict(self.listed)
        if number % 2:
            self.site.laboratory.append(path, b"one more\n", self.site.clock.time)
        self.site.copy_what_has_settled()

    def wait(self, _: str, number: int) -> None:
        self.site.clock.wait([3_600, 90_000, 100 * 86_400][number % 3])

    def check(self) -> None:
        """What is called safe without reading any byte: only what changed behind size and time is not seen."""
        circumstances, files = self.site.evidence()
        for path, file in files.items():
            if judge(file, circumstances).verdict != Verdict.SAFE or path in self.swapped:
                continue
            for place in required_places(file, circumstances):
                copies = self.copies_in(file, place.id)
                if not self.rotten & set(map(str, copies)):
                    assert self.found.get(path) in [copy.read_bytes() for copy in copies], path

    def check_after_rereading(self) -> None:
        """What is called safe by the bytes themselves, as they are now."""
        manifest = io.BytesIO()
        try:
            self.site.certify(reread=True, manifest=manifest)
        except NothingKnown:
            return
        circumstances, files = self.site.evidence()
        for statement in map(json.loads, manifest.getvalue().splitlines()):
            file = files[statement["path"]]
            if statement["verdict"] == Verdict.SAFE:
                for place in required_places(file, circumstances):
                    contents = [copy.read_bytes() for copy in self.copies_in(file, place.id)]
                    assert contents, statement
                    assert set(contents) == {self.content(file.source_path)}, statement

    def copies_in(self, file: Any, place_id: Any) -> list[Path]:
        (root,) = (Path(each.base_path) for each in self.site.archives.values() if each.id == place_id)
        return [root / copy.path for copy in file.copies if copy.place.id == place_id and copy.is_completed]


def published(location: Any) -> Iterator[Path]:
    for path in Path(location.base_path).rglob("*"):
        if path.is_file() and ".streamweave" not in path.parts:
            yield path


USUAL = ["write", "harvest", "look"]
UNUSUAL = [
    "touch",
    "remove",
    "swap",
    "hide_for_a_look",
    "look_at_some",
    "look_at_an_empty_share",
    "deny_a_folder",
    "deny_a_file",
    "change_during_the_copy",
    "add_a_location",
    "rot",
    "delete_a_copy",
    "truncate_a_copy",
    "write_to_a_copy",
    "replace_a_copy_by_a_folder",
    "unmount_or_mount",
    "exchange_disks",
    "verify",
    "repair",
    "reread_at_the_source",
    "grow_for_long",
    "wait",
]
steps = st.tuples(st.sampled_from(USUAL) | st.sampled_from(UNUSUAL), st.integers(0, 11))
BEGINNING: list[Step] = [("write", 0), ("write", 2), ("harvest", 0), ("look", 0)]


@settings(
    max_examples=LIVES,
    phases=[Phase.explicit, Phase.generate],  # each example takes a second: nobody would wait for smaller ones
    derandomize=LIVES == IN_THE_SUITE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(life=st.lists(steps, min_size=6, max_size=14))
@example(life=[("rot", 0), ("verify", 0), ("look", 0), ("add_a_location", 0), ("look", 0)])
@example(life=[("hide_for_a_look", 0), ("look_at_some", 1), ("look_at_some", 3), ("remove", 2), ("look", 0)])
@example(life=[("rot", 0), ("verify", 0), ("repair", 0), ("rot", 3), ("look", 0)])
@example(life=[("swap", 0), ("reread_at_the_source", 0), ("look", 0), ("harvest", 0), ("look", 0)])
@example(
    life=[
        ("grow_for_long", 0),
        ("look", 0),
        ("grow_for_long", 1),
        ("look", 0),
        ("touch", 1),
        ("harvest", 0),
        ("look", 0),
    ]
)
@example(life=[("unmount_or_mount", 0), ("look", 0), ("unmount_or_mount", 1), ("delete_a_copy", 0), ("look", 0)])
@example(life=[("add_a_location", 0), ("harvest", 0), ("look", 0), ("write_to_a_copy", 0), ("exchange_disks", 0)])
@example(life=[("truncate_a_copy", 0), ("look", 0), ("verify", 0), ("repair", 0), ("look", 0)])
@example(life=[("deny_a_folder", 0), ("write", 0), ("look", 0), ("deny_a_folder", 1), ("look", 0)])
@example(life=[("swap", 0), ("look", 0), ("rot", 1), ("touch", 2), ("harvest", 0), ("look", 0)])
def test_nothing_that_is_called_safe_can_be_lost(make_site: Callable[[], Any], life: list[Step]) -> None:
    lived = Life(make_site())
    object.__setattr__(lived.site.facility, "open_source", lambda instrument: Watched(lived))
    for step in [*BEGINNING, *life]:
        lived.step(step)
        lived.check()
    lived.check_after_rereading()


def test_an_ordinary_life_ends_safe(make_site: Callable[[], Any]) -> None:
    """The promise would be kept by calling nothing safe, too."""
    lived = Life(make_site())
    object.__setattr__(lived.site.facility, "open_source", lambda instrument: Watched(lived))
    for step in [*BEGINNING, ("touch", 0), ("change_during_the_copy", 1), ("harvest", 0), ("add_a_location", 0)]:
        lived.step(step)
    for step in [("harvest", 0), ("rot", 0), ("look_at_some", 3), ("look", 0)]:
        lived.step(step)
    _, files = lived.site.evidence()
    verdicts = [judge(file, lived.site.evidence()[0]).verdict for file in files.values()]
    assert verdicts == [Verdict.SAFE, Verdict.SAFE]
    assert lived.site.certify(reread=True).verdict == Verdict.NOT_SAFE
