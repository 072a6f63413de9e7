"""A real harvest over real Samba under every fault of ``simlab.faults``: what is told, and what comes out of it."""

import pytest

from simlab.faults import SCENARIOS
from soak.experiments.scenarios import EXPECTATIONS, play
from soak.site import Site
from soak.victims import Victims

CROWDED = "crowded-folder"  # a hundred thousand files are for the soak


@pytest.mark.parametrize("name", sorted(EXPECTATIONS.keys() - {CROWDED}))
def test_a_fault_is_told_as_it_is_and_nothing_is_lost_by_it(site: Site, a_lane: Victims, name: str) -> None:
    run = play(site, a_lane, name)
    assert {rule: breaches for rule, breaches in run.breaches.items() if breaches} == {}


def test_every_scenario_has_its_outcome() -> None:
    assert SCENARIOS.keys() == EXPECTATIONS.keys()
