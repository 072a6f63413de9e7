"""Random kills: the harvest is killed at times drawn evenly over its duration; now and then the one after it, too.

In some runs the instrument goes on meanwhile: files change and go between the death and the next harvest.
"""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from queue import SimpleQueue
from statistics import median

from soak.data import changes_to
from soak.ledger import Ledger, Run, judged
from soak.points import Setting
from soak.preparation import prepare
from soak.site import Site
from soak.trial import Trial, trial
from soak.victims import Victims

WEIGHTS = {Setting.FRESH: 5, Setting.CHANGED: 3, Setting.LEFT_OVER: 2}
MEASURED = 4
KILLED_AGAIN = 0.3
"""Of the harvests that follow a killed one, so many are killed as well, before one is left alone."""
CHANGED_MEANWHILE = 0.25

Durations = dict[Setting, float]


def random_kills(site: Site, lanes: Sequence[Victims], say: Callable[[str], None], *, kills: int, seed: int) -> Ledger:
    """Kill at least so many harvests, as many at a time as there are lanes."""
    free: SimpleQueue[Victims] = SimpleQueue()
    for lane in lanes:
        free.put(lane)
    ledger = Ledger("Random kills", "what the killed harvest finds")
    numbers = count(1)
    with ThreadPoolExecutor(len(lanes)) as threads:
        durations = _durations(site, free, threads)
        while (done := sum(run.cut_short for run in ledger.runs)) < kills:
            some = [next(numbers) for _ in range(min(4 * len(lanes), kills - done))]
            ledger.runs += threads.map(lambda number: _in_a_lane(site, free, f"{seed}/{number}", durations), some)
            say(f"{sum(run.cut_short for run in ledger.runs)} of {kills} killed")
    seconds = ", ".join(f"{duration:.2f} s when {setting}" for setting, duration in durations.items())
    ledger.notes.append(f"Seed {seed}. Kill times drawn evenly over the duration of a harvest: {seconds}.")
    return ledger


def _durations(site: Site, free: "SimpleQueue[Victims]", threads: ThreadPoolExecutor) -> Durations:
    """How long a harvest takes that is left alone, with all lanes at work."""
    durations = {}
    for setting in Setting:
        measured = threads.map(lambda number, setting=setting: _measured(site, free, setting, number), range(MEASURED))
        durations[setting] = median(measured)
    return durations


def _measured(site: Site, free: "SimpleQueue[Victims]", setting: Setting, number: int) -> float:
    lane = free.get()
    try:
        with trial(site, lane) as one:
            prepare(one, setting, f"measured/{number}")
            return one.harvest().seconds
    finally:
        free.put(lane)


def _in_a_lane(site: Site, free: "SimpleQueue[Victims]", seed: str, durations: Durations) -> Run:
    lane = free.get()
    try:
        with trial(site, lane) as one:
            return kill_at_random(one, seed, durations)
    finally:
        free.put(lane)


def kill_at_random(one: Trial, seed: str, durations: Durations) -> Run:
    """One run: all that is left to chance follows from the seed."""
    chance = random.Random(seed)
    setting = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    prepare(one, setting, seed)
    ends = [one.harvest(kill_after_seconds=chance.uniform(0, durations[setting]))]
    while ends[-1].was_killed and chance.random() < KILLED_AGAIN:
        one.let_the_dead_be_found()
        ends.append(one.harvest(kill_after_seconds=chance.uniform(0, durations[Setting.LEFT_OVER])))
    row = str(setting)
    if chance.random() < CHANGED_MEANWHILE:
        one.change_unseen(changes_to(one.files(), f"meanwhile {seed}"))
        row += "; files change before the next harvest"
    recovery = one.recover()
    return judged(row, f"random {seed}", ends, recovery, one.evidence())
