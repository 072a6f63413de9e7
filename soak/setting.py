"""What every experiment is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from soak.site import Site
from soak.victims import Victims


@dataclass(frozen=True)
class SoakSetting:
    """``lanes`` run side by side where an experiment can do that; ``say`` reports progress.

    ``kills`` is how many random kills there are to be at least, ``runs`` how often everything else is tried.
    """

    site: Site
    lanes: Sequence[Victims]
    say: Callable[[str], None]
    kills: int = 500
    runs: int = 10
    seed: int = 1

    @property
    def victims(self) -> Victims:
        """For what is done one after the other."""
        return self.lanes[0]
