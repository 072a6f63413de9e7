"""A few runs of the soak: whatever dies, wherever, the next harvest ends it, and nothing is lost, twice, or half."""

import json
from collections import defaultdict

import pytest

from soak.experiments.crashes import CRASHES, crash
from soak.experiments.disks import FAULTS, break_disk
from soak.experiments.kill_points import kill
from soak.experiments.random_kills import kill_at_random
from soak.ledger import Run
from soak.points import STEPS, Setting, Step
from soak.preparation import prepare
from soak.site import Site
from soak.trial import trial
from soak.victims import Victims

HERE = {step.what: step for step in STEPS}
KILLS = [
    ("after", "record changed files (in the transaction)"),
    ("after", "claim transfers"),
    ("before", "compare a large file that was read back"),
    ("after", "give a second name, before the staged one goes"),
    ("after", "make names durable"),
    ("before", "flush the journal of the second location"),
    ("after", "note what was archived in the journal"),
    ("before", "take over what a dead run published"),
    ("after", "catalogue (in the transaction)"),
    ("after", "enrich (in the transaction)"),
]


def assert_sound(run: Run) -> None:
    assert {rule: breaches for rule, breaches in run.breaches.items() if breaches} == {}


@pytest.mark.parametrize("setting", Setting)
def test_every_step_that_is_named_is_gone_through(site: Site, a_lane: Victims, setting: Setting) -> None:
    needed: dict[str, int] = defaultdict(int)
    for step in STEPS:
        if step.setting == setting:
            needed[step.target] = max(needed[step.target], step.call)
    with trial(site, a_lane) as one:
        prepare(one, setting, "counted")
        counts = json.loads(one.harvest(counted=tuple(needed)).said)
    assert {target for target, calls in needed.items() if counts[target] < calls} == set()


@pytest.mark.parametrize(("moment", "what"), KILLS)
def test_a_harvest_that_is_killed_at_a_step_is_ended_by_the_next(
    site: Site, a_lane: Victims, moment: str, what: str
) -> None:
    step: Step = HERE[what]
    assert_sound(kill(site, a_lane, step, moment))


@pytest.mark.parametrize("seed", ["1/1", "1/2", "1/3", "1/4", "1/5"])
def test_a_harvest_that_is_killed_at_any_time_is_ended_by_the_next(site: Site, a_lane: Victims, seed: str) -> None:
    with trial(site, a_lane) as one:
        assert_sound(kill_at_random(one, seed, dict.fromkeys(Setting, 0.5)))


@pytest.mark.parametrize("what", CRASHES)
def test_a_crash_of_what_a_harvest_depends_on_loses_nothing(site: Site, a_lane: Victims, what: str) -> None:
    with trial(site, a_lane) as one:
        assert_sound(crash(one, what, "1", 0.5))


@pytest.mark.parametrize("error", FAULTS)
def test_a_disk_that_breaks_is_told_and_loses_nothing(site: Site, a_lane: Victims, error: str) -> None:
    with trial(site, a_lane) as one:
        run = break_disk(one, error, "1")
    assert_sound(run)
    assert run.cut_short == 1
    assert run.reported.startswith("storage_")
