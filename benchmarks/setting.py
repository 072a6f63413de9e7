"""What every benchmark is given."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console


@dataclass(frozen=True)
class Setting:
    """``scale`` multiplies the amount of data; 1 is what goals are about.

    ``work`` is an empty folder on the disk that is measured; whoever made it removes it. ``console`` hears of progress.
    """

    work: Path
    console: Console
    rounds: int = 3
    scale: float = 1.0

    def scaled(self, number: int) -> int:
        """That number of files, bytes or rows at this scale, at least 1."""
        return max(1, round(number * self.scale))

    def say(self, sentence: str) -> None:
        """Tell a person how far it is."""
        self.console.print(f"[dim]{sentence}[/dim]", highlight=False)
