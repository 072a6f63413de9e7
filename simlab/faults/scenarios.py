"""The scenarios by name. Each is a context: the fault is there, or waits for its moment, until the context ends."""

import inspect
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from simlab.errors import UnknownScenarioError
from simlab.faults import files, hostile, reaching
from simlab.faults.stage import Stage

Scenario = Callable[[Stage], AbstractContextManager[None]]

_ALL: tuple[Scenario, ...] = (
    reaching.freezes,
    reaching.freezes_during_copy,
    reaching.drops_mid_file,
    reaching.drops_again_and_again,
    reaching.drops_always,
    reaching.vanishes,
    files.denies_one_file,
    files.comes_back_empty,
    files.comes_back_shrunken,
    files.swaps_a_content,
    files.appends_during_copy,
    files.rewrites_during_copy,
    files.renames_during_copy,
    files.deletes_during_copy,
    files.holds_a_file_open,
    files.locks_a_file,
    files.clock_ahead,
    files.clock_jumps,
    files.hard_names,
    files.crowded_folder,
    hostile.endless_folder,
    hostile.repeated_names,
    hostile.endless_nesting,
    hostile.endless_folders,
    hostile.huge_names,
    hostile.impossible_sizes,
    hostile.silent_listing,
)


def _name_of(scenario: Scenario) -> str:
    return scenario.__name__.replace("_", "-")


SCENARIOS: Mapping[str, Scenario] = {_name_of(scenario): scenario for scenario in _ALL}


def scenario_called(name: str) -> Scenario:
    """Raises ``UnknownScenarioError``."""
    if name not in SCENARIOS:
        raise UnknownScenarioError(f"There is no scenario {name!r}: `python -m simlab faults` lists them.")
    return SCENARIOS[name]


def sentence_of(scenario: Scenario) -> str:
    """What happens in it."""
    return " ".join((inspect.getdoc(scenario) or "").split())


def server_options_for(scenario: Scenario) -> dict[str, str]:
    """Samba's options that a scenario needs (smb.conf(5)): to root nothing is denied, so somebody else serves."""
    is_denied = scenario is files.denies_one_file and os.geteuid() == 0
    return {"force user": "nobody"} if is_denied else {}
