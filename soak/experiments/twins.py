"""Twins: a second system, with a catalog of its own, comes to the archives of the first (a test system, say).

It is refused when it is configured for them. When its own archives are replaced by the first one's later on, as a wrong
mount does, its harvest is refused, and the first one's archives and staged files stay as they are.
"""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

from soak.data import changes_to, first_files
from soak.errors import SoakFailed
from soak.evidence import archived_in, staged_in
from soak.ledger import Ledger, Run, judged
from soak.points import PUBLISHED
from soak.site import Site
from soak.trial import Trial, trial
from soak.victims import Victims
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.errors import StreamWeaveError
from streamweave.manifest import apply_manifest


def twins(site: Site, victims: Victims, say: Callable[[str], None], *, runs: int, seed: int) -> Ledger:
    """Let a second system come so many times in each way."""
    ledger = Ledger("A second catalog", "the second system")
    for row, comes in ROWS.items():
        for number in range(runs):
            with trial(site, victims) as first, trial(site, victims) as second:
                ledger.runs.append(comes(first, second, row, f"{seed}/{number}"))
        say(f"{row}: {runs} times")
    return ledger


def configured(first: Trial, second: Trial, row: str, seed: str) -> Run:
    """Its configuration names the archives."""
    _harvest_and_die(first, seed)
    before = _contents(first)
    accepted = _is_accepted(second, first.archives)
    return _judged(first, row, seed, before, ["the second catalog was accepted"] if accepted else [])


def mounted(first: Trial, second: Trial, row: str, seed: str) -> Run:
    """Its own archives are replaced by the first one's, in half of the runs after it has archived files of its own."""
    chance = random.Random(f"{row} {seed}")
    _harvest_and_die(first, seed)
    files = first_files(f"second {seed}")
    second.write(files)
    if chance.random() < 0.5:
        if second.harvest().exit_code != 0:
            raise SoakFailed("a harvest that was left alone did not succeed")
        second.change(changes_to(files, seed))
    before = _contents(first)
    for name, place in second.archives.items():
        place.rename(place.with_name(f"{name} away"))
        place.symlink_to(first.archives[name])
    end = second.harvest()
    for name, place in second.archives.items():
        place.unlink()
        place.with_name(f"{name} away").rename(place)
    return _judged(first, row, seed, before, ["the second catalog's harvest succeeded"] if end.ended_well else [])


def _harvest_and_die(first: Trial, seed: str) -> None:
    """The first system's harvest dies with files staged and published, which nobody else may touch."""
    first.write(first_files(seed))
    if not first.harvest(kill_at=PUBLISHED).was_killed:
        raise SoakFailed(f"{PUBLISHED.target} was not reached")


def _is_accepted(second: Trial, archives: Mapping[str, Path]) -> bool:
    manifest = second.site.manifest(f"/{second.base}", archives)
    manifest["storage_locations"] = [
        {**each, "name": f"other {each['name']}"} for each in manifest["storage_locations"]
    ]
    manifest["schedules"], manifest["hooks"] = [], []
    try:
        with open_catalog(second.database_url) as engine:
            apply_manifest(catalog_sessions(engine), second.site.encryption_key, manifest)
    except StreamWeaveError:
        return False
    return True


def _contents(one: Trial) -> dict[str, tuple[dict[str, str], list[str]]]:
    return {name: (archived_in(root), sorted(staged_in(root))) for name, root in one.archives.items()}


def _judged(
    first: Trial, row: str, seed: str, before: Mapping[str, tuple[dict[str, str], list[str]]], breaches: list[str]
) -> Run:
    changed = [f"the second system changed {name}" for name, found in _contents(first).items() if found != before[name]]
    recovery = first.recover()
    return judged(row, f"twins {seed}", [], recovery, first.evidence()).with_breaches("lost", [*breaches, *changed])


ROWS: Mapping[str, Callable[[Trial, Trial, str, str], Run]] = {
    "is configured for the archives": configured,
    "finds them where its own should be": mounted,
}
