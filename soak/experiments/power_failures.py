"""Power failures: the disk of the archives loses what had not reached it, at a random time of a harvest.

The catalog is on another machine, and goes on. What it has on record as archived must be there all the same.
"""

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from soak.errors import SoakFailed
from soak.ledger import Ledger, Run, judged
from soak.points import Setting
from soak.power import FILE_SYSTEMS, FileSystem, disk, with_its_contents
from soak.preparation import prepare
from soak.site import Site
from soak.trial import LOCATIONS, Trial, trial
from soak.victims import Victims

MANY_FILES = 20
LIVES_SECONDS = 0.1, 0.8
"""How long a harvest lives, from and to: some begin to copy just then, others have ended."""


def power_failures(site: Site, victims: Victims, say: Callable[[str], None], *, runs: int, seed: int) -> Ledger:
    """Let the disk of both archives lose its power so many times, with each file system that can be made here."""
    ledger = Ledger("The power fails", "the archives' disk")
    for name, kind in FILE_SYSTEMS.items():
        if not may_be_mounted(kind):
            ledger.notes.append(f"{name}: can't be made or mounted here, and was left out.")
            continue
        for number in range(runs):
            with trial(site, victims) as one:
                ledger.runs.append(fail(one, name, f"{seed}/{number}"))
        say(f"{name}: the power failed {runs} times")
    return ledger


def may_be_mounted(kind: FileSystem) -> bool:
    """Whether we are root, allowed to mount such a file system, and have the programs for it."""
    if os.geteuid() != 0 or not kind.is_here:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with disk(kind, Path(folder) / "disk", Path(folder) / "mounted"):
                return True
        except SoakFailed:
            return False


def fail(one: Trial, name: str, seed: str) -> Run:
    """One run: a harvest is killed, or ends by itself, and its disk loses its power at once."""
    chance = random.Random(f"{name} {seed}")
    return _failed(one, name, seed, chance, kill_after_seconds=chance.uniform(*LIVES_SECONDS))


def fail_after_all(one: Trial, name: str, seed: str, *, flushes: bool) -> Run:
    """The same once all is on record. If nothing was flushed that must be found, or the others prove nothing."""
    return _failed(one, name, seed, random.Random(f"{name} {seed}"), flushes=flushes)


def _failed(one: Trial, name: str, seed: str, chance: random.Random, **ending: Any) -> Run:
    place = one.archives[LOCATIONS[0]].parent
    with with_its_contents(disk(FILE_SYSTEMS[name], place.with_suffix(".disk"), place), place) as archives:
        prepare(one, chance.choice(list(Setting)), seed)
        one.write({f"day {number}/scan.csv": chance.randbytes(2_000) for number in range(MANY_FILES)})
        end = one.harvest(**ending)
        archives.lose_power()
        return judged(name, f"power {name} {seed}", [end], one.recover(), one.evidence())
