"""Disks that fill up, turn read-only, or report I/O errors under a harvest; then they are well again.

``soak.disk`` answers in the system's stead, at a byte drawn evenly over what is written. Where root may mount, a small
file system in memory (tmpfs) is filled and turned read-only by the kernel itself as well.
"""

import contextlib
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from soak.ledger import Ledger, Run, judged
from soak.orders import BrokenDisk, End
from soak.points import Setting
from soak.power import with_its_contents
from soak.preparation import prepare
from soak.site import Site
from soak.trial import LOCATIONS, Trial, trial
from soak.victims import Victims

FAULTS = {"ENOSPC": "fills up", "EROFS": "turns read-only", "EIO": "reports I/O errors"}
KERNELS = "(by the kernel: tmpfs)"
SMALL_DISK, ENOUGH = "2m", "64m"


def disks(site: Site, victims: Victims, say: Callable[[str], None], *, runs: int, seed: int) -> Ledger:
    """Let the first of the two archives break so many times in each way."""
    ledger = Ledger("The destination breaks", "the disk", shows_reports=True)
    for error, what in FAULTS.items():
        for number in range(runs):
            with trial(site, victims) as one:
                ledger.runs.append(break_disk(one, error, f"{seed}/{number}"))
        say(f"the disk {what}: {runs} times")
    if not may_mount(site.work):
        ledger.notes.append("Nothing may be mounted here: the kernel's own full and read-only disks were left out.")
        return ledger
    for number in range(runs):
        for act in (fill_a_mounted_disk, remount_read_only):
            with trial(site, victims) as one:
                place = one.archives[LOCATIONS[0]]
                with with_its_contents(_mounted(place), place):
                    ledger.runs.append(act(one, f"{seed}/{number}"))
    say(f"mounted disks: {runs} times")
    return ledger


def break_disk(one: Trial, error: str, seed: str) -> Run:
    """One run: the disk breaks, the harvest says so and archives elsewhere; then the disk is well again."""
    chance = random.Random(f"{error} {seed}")
    prepare(one, Setting.FRESH, seed)
    written = sum(map(len, one.files().values()))
    disk = BrokenDisk(str(one.archives[LOCATIONS[0]]), error, chance.randrange(written))
    end = one.harvest(broken_disk=disk)
    return _judged(one, FAULTS[error], seed, end)


def fill_a_mounted_disk(one: Trial, seed: str) -> Run:
    """One run: the archive is a disk that has room for a part only; then it has room for all."""
    prepare(one, Setting.FRESH, seed)
    end = one.harvest()
    _remount(one.archives[LOCATIONS[0]], f"size={ENOUGH}")
    return _judged(one, f"fills up {KERNELS}", seed, end)


def remount_read_only(one: Trial, seed: str) -> Run:
    """One run: a run dies, and leaves its disk read-only, which the next one says; then it can be written to again."""
    archive = one.archives[LOCATIONS[0]]
    _remount(archive, f"size={ENOUGH}")
    prepare(one, Setting.LEFT_OVER, seed)
    _remount(archive, "ro")
    end = one.harvest()
    _remount(archive, "rw")
    return _judged(one, f"turns read-only {KERNELS}", seed, end)


def _judged(one: Trial, row: str, seed: str, end: End) -> Run:
    recovery = one.recover()
    reported = end.said.partition(";")[0].replace(str(one.archives[LOCATIONS[0]]), "…")
    return judged(row, f"disk {seed}", [end], recovery, one.evidence(), reported)


def may_mount(work: Path) -> bool:
    """Whether we are root, and allowed to mount."""
    folder = work / "mount"
    folder.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        return False
    try:
        with _mounted(folder):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextlib.contextmanager
def _mounted(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


def _remount(folder: Path, options: str) -> None:
    _run("mount", "-o", f"remount,{options}", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
