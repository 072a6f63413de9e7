"""Disks that are missing, exchanged, or shown twice, while files come and certificates are asked for.

A mount point is played by the archive's folder: its disk is away when the folder has another name and an empty one is
in its place. That needs no right to mount, and is what the product sees of a disk that is not mounted.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from soak.certifying import certified_safe, false_certificates
from soak.data import changes_to, first_files
from soak.errors import SoakFailed
from soak.evidence import archived_in
from soak.ledger import FALSE_CERTIFICATES, Ledger, Run, judged
from soak.site import Site
from soak.trial import LOCATIONS, Trial, trial
from soak.victims import Victims

ARCHIVE, MIRROR = LOCATIONS
LIVES_SECONDS = 0.1, 0.8
KILLED = 0.3
"""Of the harvests that meet such a place, so many are killed."""


@contextmanager
def missing(archive: Path, _mirror: Path) -> Iterator[list[Path]]:
    """Only the mount point is there. Yields where nothing may be written meanwhile."""
    away = archive.with_name("away")
    archive.rename(away)
    archive.mkdir()
    yield [archive]
    _remove_empty(archive)
    away.rename(archive)


@contextmanager
def all_missing(archive: Path, mirror: Path) -> Iterator[list[Path]]:
    """Both are away."""
    with missing(archive, mirror) as one:
        away = mirror.with_name("mirror away")
        mirror.rename(away)
        mirror.mkdir()
        yield [*one, mirror]
        _remove_empty(mirror)
        away.rename(mirror)


@contextmanager
def exchanged(archive: Path, mirror: Path) -> Iterator[list[Path]]:
    """Each is where the other should be."""
    _exchange(archive, mirror)
    yield []
    _exchange(archive, mirror)


@contextmanager
def shown_twice(archive: Path, mirror: Path) -> Iterator[list[Path]]:
    """The mirror's path leads to the archive, as a second mount of one export does."""
    away = mirror.with_name("away")
    mirror.rename(away)
    mirror.symlink_to(archive)
    yield []
    mirror.unlink()
    away.rename(mirror)


def _exchange(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def _remove_empty(folder: Path) -> None:
    """Whatever was written into it was already found; the trial goes on as an administrator would go on."""
    for place in sorted(folder.rglob("*"), reverse=True):
        place.rmdir() if place.is_dir() else place.unlink()
    folder.rmdir()


MISHAPS = {
    "one disk is missing": missing,
    "both disks are missing": all_missing,
    "the disks are exchanged": exchanged,
    "one disk is shown in both places": shown_twice,
}


def places(site: Site, victims: Victims, say: Callable[[str], None], *, runs: int, seed: int) -> Ledger:
    """Play each mishap so many times: in half of the runs before the first file, else with archives that hold files."""
    ledger = Ledger("Disks in the wrong place", "the archives' disks")
    safe = 0
    for what in MISHAPS:
        for number in range(runs):
            with trial(site, victims) as one:
                ledger.runs.append(misplace(one, what, f"{seed}/{number}", is_fresh=number % 2 == 0))
                safe += _safe_in_the_end(one)
        say(f"{what}: {runs} times")
    ledger.notes.append(f"Certificates called {safe:,} files safe after the disks were back.")
    if not safe:
        raise SoakFailed("no certificate called any file safe, so nothing was shown of those that should not")
    return ledger


def misplace(one: Trial, what: str, seed: str, *, is_fresh: bool) -> Run:
    """One run: disks are misplaced, a harvest finds them so, a certificate is asked for; then they are back."""
    chance = random.Random(f"{what} {seed}")
    files = first_files(seed)
    one.write(files)
    if not is_fresh:
        if one.harvest().exit_code != 0:
            raise SoakFailed("a harvest that was left alone did not succeed")
        one.change(changes_to(files, seed))
    with MISHAPS[what](one.archives[ARCHIVE], one.archives[MIRROR]) as mount_points:
        lives = chance.uniform(*LIVES_SECONDS) if chance.random() < KILLED else None
        end = one.harvest(kill_after_seconds=lives)
        false = false_certificates(one)
        written = [f"{path} was written below a mount point" for place in mount_points for path in archived_in(place)]
    recovery = one.recover()
    run = judged(
        f"{what}{', before the first file' if is_fresh else ''}", f"places {seed}", [end], recovery, one.evidence()
    )
    return run.with_breaches(FALSE_CERTIFICATES, false).with_breaches("without a row", written)


def _safe_in_the_end(one: Trial) -> int:
    """How many files a certificate calls safe after one more harvest, which has seen them archived."""
    one.recover()
    return len(certified_safe(one))
