"""What the catalog vouches for has reached the disk, with every file system that can be made and mounted here."""

import pytest

from soak.experiments.power_failures import fail, fail_after_all, may_be_mounted
from soak.power import FILE_SYSTEMS
from soak.site import Site
from soak.trial import trial
from soak.victims import Victims

HERE = [name for name, kind in FILE_SYSTEMS.items() if may_be_mounted(kind)]


@pytest.mark.parametrize("seed", ["1/1", "1/2"])
@pytest.mark.parametrize("name", HERE)
def test_a_power_failure_takes_nothing_that_is_on_record(site: Site, a_lane: Victims, name: str, seed: str) -> None:
    with trial(site, a_lane) as one:
        assert {rule: found for rule, found in fail(one, name, seed).breaches.items() if found} == {}


@pytest.mark.parametrize("name", HERE)
def test_all_that_a_harvest_put_on_record_has_reached_the_disk(site: Site, a_lane: Victims, name: str) -> None:
    with trial(site, a_lane) as one:
        run = fail_after_all(one, name, "1/1", flushes=True)
        assert run.cut_short == 0
        assert {rule: found for rule, found in run.breaches.items() if found} == {}


@pytest.mark.parametrize("name", HERE)
def test_a_harvest_that_flushes_nothing_is_found_out(site: Site, a_lane: Victims, name: str) -> None:
    with trial(site, a_lane) as one:
        run = fail_after_all(one, name, "1/1", flushes=False)
        assert run.breaches["without bytes"]
        assert run.breaches["lost"]
