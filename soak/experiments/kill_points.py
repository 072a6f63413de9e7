"""Kill points: the harvest is killed just before, and just after, each of its steps."""

from collections.abc import Callable, Iterable, Sequence

from soak.ledger import NOT_REACHED, Ledger, Run, judged
from soak.points import MOMENTS, STEPS, Step
from soak.preparation import prepare
from soak.site import Site
from soak.trial import trial
from soak.victims import Victims

Kill = tuple[Step, str]
ALL: Sequence[Kill] = [(step, moment) for step in STEPS for moment in MOMENTS]


def kill_points(site: Site, victims: Victims, say: Callable[[str], None], kills: Iterable[Kill] = ALL) -> Ledger:
    """Kill a harvest at each, let the next one take up, and hold the archives against the source."""
    ledger = Ledger("Kill points", "killed")
    for step, moment in kills:
        ledger.runs.append(kill(site, victims, step, moment))
        say(f"{moment} {step.what}")
    return ledger


def kill(site: Site, victims: Victims, step: Step, moment: str) -> Run:
    """One run."""
    row = f"{moment}: {step.what}"
    with trial(site, victims) as one:
        died = prepare(one, step.setting, row)
        end = one.harvest(kill_at=step.point(moment))
        recovery = one.recover()
        run = judged(row, f"{step.target} {moment} call {step.call}", [end], recovery, one.evidence())
        reached = () if end.was_killed else (f"the harvest ended by itself: {end.said}",)
        return Run(run.row, run.again, run.cut_short + died, {**run.breaches, NOT_REACHED: reached})
