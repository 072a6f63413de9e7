"""Restored catalogs and archives, misplaced disks and second catalogs: nothing is lost, and no certificate is false."""

import pytest

from soak.certifying import certified_safe
from soak.experiments import places, restores, twins
from soak.ledger import Run
from soak.site import Site
from soak.trial import trial
from soak.victims import Victims


def breaches(run: Run) -> dict[str, tuple[str, ...]]:
    return {rule: found for rule, found in run.breaches.items() if found}


@pytest.mark.parametrize("row", restores.ROWS)
def test_what_an_older_backup_does_not_know_is_not_lost(site: Site, a_lane: Victims, row: str) -> None:
    with trial(site, a_lane) as one:
        assert breaches(restores.ROWS[row](one, row, "1/1")) == {}


@pytest.mark.parametrize("is_fresh", [True, False], ids=["before the first file", "later"])
@pytest.mark.parametrize("what", places.MISHAPS)
def test_a_disk_in_the_wrong_place_is_noticed(site: Site, a_lane: Victims, what: str, is_fresh: bool) -> None:
    with trial(site, a_lane) as one:
        assert breaches(places.misplace(one, what, "1/1", is_fresh=is_fresh)) == {}


@pytest.mark.parametrize("row", twins.ROWS)
def test_a_second_catalog_is_kept_out(site: Site, a_lane: Victims, row: str) -> None:
    with trial(site, a_lane) as first, trial(site, a_lane) as second:
        assert breaches(twins.ROWS[row](first, second, row, "1/1")) == {}


def test_files_are_certified_safe_when_nothing_is_wrong(site: Site, a_lane: Victims) -> None:
    """Else it would prove little that no false certificate was found."""
    with trial(site, a_lane) as one:
        one.write({"scan.csv": b"1,2", "raw/stack.raw": b"3"})
        assert one.harvest().ended_well
        assert one.harvest().ended_well
        assert {path.removeprefix(one.prefix) for path in certified_safe(one)} == {"scan.csv", "raw/stack.raw"}
