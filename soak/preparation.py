"""Preparation: a trial brought to where the harvest begins that is to die."""

from soak.data import changes_to, first_files
from soak.errors import SoakFailed
from soak.points import PUBLISHED, Setting
from soak.trial import Trial


def prepare(trial: Trial, setting: Setting, seed: str) -> int:
    """Let the instrument write, and harvest, as the setting says; returns how many runs have died for that."""
    files = first_files(seed)
    trial.write(files)
    if setting == Setting.FRESH:
        return 0
    if setting == Setting.CHANGED:
        if trial.harvest().exit_code != 0:
            raise SoakFailed("a harvest that was left alone did not succeed")
        trial.change(changes_to(files, seed))
        return 0
    if not trial.harvest(kill_at=PUBLISHED).was_killed:
        raise SoakFailed(f"{PUBLISHED.target} was not reached")
    trial.let_the_dead_be_found()
    return 1
