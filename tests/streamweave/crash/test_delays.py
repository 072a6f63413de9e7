"""What is out of order delays nobody else: a file no other file, an instrument no other instrument."""

import os
import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from simlab.faults import SHARE, set_stage
from simlab.faults.line import Damage
from soak.experiments.scenarios import some_files
from soak.proof import breaches_in
from soak.site import PASSWORD, Site
from soak.trial import Trial, trial
from soak.victims import Victims, victims
from streamweave.catalog.tables import VersionState

BAD = "a_first.csv"
FAR_TIMEOUT = {"transfer_config": {"timeout_seconds": 120}}


def states(one: Trial) -> dict[str, str]:
    return {version.source_path: version.state for version in one.evidence().versions}


def test_an_instrument_whose_share_is_frozen_delays_no_other(site: Site, a_lane: Victims, work: Path) -> None:
    (folder := work / "frozen" / "share").mkdir(parents=True)
    with ExitStack() as running:
        stage = running.enter_context(set_stage(folder, work / "frozen" / "samba", password=PASSWORD))
        there = replace(site, work=work / "frozen", server=stage, _serving=ExitStack())
        other_lane = running.enter_context(victims(work))
        frozen = running.enter_context(trial(there, other_lane, on_all_of_the_share=True, **FAR_TIMEOUT))
        sound = running.enter_context(trial(site, a_lane))
        frozen.write({BAD: b"1,2\n"})
        sound.write(some_files())
        os.killpg(stage.pid, signal.SIGSTOP)
        try:
            other_lane.begin(frozen.order())
            assert sound.harvest().ended_well
            assert set(states(sound).values()) == {VersionState.ARCHIVED}
            assert states(frozen) == {}
        finally:
            os.killpg(stage.pid, signal.SIGCONT)
        assert other_lane.end().ended_well
        assert set(states(frozen).values()) == {VersionState.ARCHIVED}


def cuts_at(marker: bytes) -> Damage:
    """Every connection on which the marker is sent ends."""
    return lambda said: None if marker in said else said


def test_a_file_that_ends_every_connection_holds_up_no_other(site: Site, a_lane: Victims, work: Path) -> None:
    marker = b"a marker that ends connections"
    (folder := work / "cutting" / "share").mkdir(parents=True)
    with set_stage(folder, work / "cutting" / "samba", password=PASSWORD) as stage:
        there = replace(site, work=work / "cutting", server=stage, _serving=ExitStack())
        with trial(there, a_lane, on_all_of_the_share=True) as one:
            one.write(some_files() | {BAD: marker})
            stage.line.damage = cuts_at(marker)
            one.harvest()
            assert {path for path, state in states(one).items() if state != VersionState.ARCHIVED} == {f"{SHARE}/{BAD}"}
            stage.line.damage = lambda said: said
            assert one.recover().ended_well
            assert not any(breaches_in(one.evidence()).values())
