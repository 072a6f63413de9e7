"""Crashes of what a harvest depends on, at times drawn evenly over its duration: PostgreSQL, and the SMB server."""

import random
import signal
import time
from collections.abc import Callable

from soak.ledger import Ledger, Run, judged
from soak.points import Setting
from soak.preparation import prepare
from soak.site import Site
from soak.trial import Trial, trial
from soak.victims import Victims

Act = Callable[[Site], None]


def _postgres(number: signal.Signals) -> Act:
    return lambda site: site.crash_postgres(number)


CRASHES: dict[str, tuple[Act, Act]] = {
    "PostgreSQL, as by `pg_ctl stop -m immediate` (SIGQUIT)": (_postgres(signal.SIGQUIT), Site.restart_postgres),
    "PostgreSQL's postmaster, SIGKILL": (_postgres(signal.SIGKILL), Site.restart_postgres),
    "the SMB server, SIGKILL of all its processes": (Site.kill_server, Site.restart_server),
}


def crashes(site: Site, victims: Victims, say: Callable[[str], None], *, runs: int, seed: int) -> Ledger:
    """Let each crash so many times under a harvest; restart it, harvest again, and hold the archives against it all."""
    ledger = Ledger("What a harvest depends on crashes", "crashed")
    with trial(site, victims) as one:
        prepare(one, Setting.FRESH, "measured")
        duration = one.harvest().seconds
    for row in CRASHES:
        for number in range(runs):
            with trial(site, victims) as one:
                ledger.runs.append(crash(one, row, f"{seed}/{number}", duration))
        say(f"{row}: {runs} times")
    ledger.notes.append(
        "A harvest whose database dies breaks off; one whose share dies ends by itself, and says so. Either way the "
        "next one, once all is up again, takes up."
    )
    return ledger


def crash(one: Trial, row: str, seed: str, duration: float) -> Run:
    """One run."""
    crash_it, restart_it = CRASHES[row]
    chance = random.Random(f"{row} {seed}")
    prepare(one, Setting.FRESH, seed)
    one.victims.begin(one.order())
    time.sleep(chance.uniform(0, duration))  # the moment of the crash, not a wait for something
    crash_it(one.site)
    end = one.victims.end()
    restart_it(one.site)
    one.engine.dispose()
    recovery = one.recover()
    return judged(row, f"crash {seed}", [end], recovery, one.evidence())
