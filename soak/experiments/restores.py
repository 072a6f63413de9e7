"""Restores: the catalog is older than the archives, or an archive is older than the catalog.

A copy of the database that PostgreSQL makes (``CREATE DATABASE … TEMPLATE``) replaces a dump and its restore: the
catalog holds the same afterwards.
"""

import random
import shutil
from collections.abc import Callable, Mapping

from soak.certifying import false_certificates
from soak.data import changes_to, first_files
from soak.errors import SoakFailed
from soak.evidence import identifiers_in
from soak.ledger import FALSE_CERTIFICATES, Ledger, Run, judged
from soak.site import Site
from soak.trial import LOCATIONS, Trial, trial
from soak.victims import Victims

LIVES_SECONDS = 0.1, 0.8
"""How long a harvest lives that is killed, from and to."""


def restores(site: Site, victims: Victims, say: Callable[[str], None], *, runs: int, seed: int) -> Ledger:
    """Restore the catalog or an archive so many times in each way."""
    ledger = Ledger("Restores", "what was restored")
    for row, restored in ROWS.items():
        for number in range(runs):
            with trial(site, victims) as one:
                ledger.runs.append(restored(one, row, f"{seed}/{number}"))
        say(f"{row}: {runs} times")
    return ledger


def older_catalog(one: Trial, row: str, seed: str) -> Run:
    """All that was archived since the dump is known again after the restore, under the same identifiers."""
    return _restored(one, row, seed)


def older_catalog_after_a_kill(one: Trial, row: str, seed: str) -> Run:
    """The same, and the harvest since the dump was killed."""
    chance = random.Random(f"{row} {seed}")
    return _restored(one, row, seed, kill_after_seconds=chance.uniform(*LIVES_SECONDS))


def older_catalog_and_changed_files(one: Trial, row: str, seed: str) -> Run:
    """The same, and the instrument goes on writing while the catalog is being restored."""
    return _restored(one, row, seed, changed_meanwhile=True)


def _restored(one: Trial, row: str, seed: str, *, changed_meanwhile: bool = False, **ending: float) -> Run:
    _harvested(one, seed)
    dump = one.dump()
    one.change(changes_to(one.files(), seed))
    end = one.harvest(**ending)
    given_out = identifiers_in(one.engine)
    if changed_meanwhile:
        one.change(changes_to(one.files(), f"meanwhile {seed}"))
    one.restore(dump)
    recovery = one.recover()
    run = judged(row, f"restore {seed}", [end], recovery, one.evidence())
    return run.with_breaches("lost", _forgotten(given_out, identifiers_in(one.engine)))


def _forgotten(given_out: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    """The identifiers that lead nowhere, or elsewhere."""
    return [
        f"{identifier} of {path} leads to {known.get(identifier, 'nothing')}"
        for identifier, path in given_out.items()
        if known.get(identifier) != path
    ]


def older_archive(one: Trial, row: str, seed: str) -> Run:
    """No certificate vouches for what is missing, and the mirror and the share bring it back."""
    chance = random.Random(f"{row} {seed}")
    _harvested(one, seed)
    archive = one.archives[LOCATIONS[0]]
    backup = archive.with_name("backup")
    shutil.copytree(archive, backup)
    one.change(changes_to(one.files(), seed))
    end = one.harvest()
    shutil.rmtree(archive)
    backup.rename(archive)
    if chance.random() < 0.5:
        one.harvest()
    false = false_certificates(one)
    one.repair()
    recovery = one.recover()
    return judged(row, f"restore {seed}", [end], recovery, one.evidence()).with_breaches(FALSE_CERTIFICATES, false)


def _harvested(one: Trial, seed: str) -> None:
    one.write(first_files(seed))
    if one.harvest().exit_code != 0:
        raise SoakFailed("a harvest that was left alone did not succeed")


ROWS: Mapping[str, Callable[[Trial, str, str], Run]] = {
    "an older catalog": older_catalog,
    "an older catalog; the harvest since was killed": older_catalog_after_a_kill,
    "an older catalog; files changed meanwhile": older_catalog_and_changed_files,
    "an older archive": older_archive,
}
