"""`streamweave demo`: the guided tour."""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from streamweave_cli.terminal import one_sentence
from streamweave_cli.tour.stage import Narration, TourFailed, stage
from streamweave_cli.tour.tour import Tour

TOUR_FAILED = 1


def demo(
    keep: Annotated[Path | None, typer.Option(help="Play in this new home and keep it, to be looked at later.")] = None,
) -> None:
    """Play the whole tour: simulated instruments, harvests, catalog; ends with a summary."""
    console = Console()
    narration = Narration(console)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="streamweave-demo-") as scratch, one_sentence():
        try:
            with stage(keep or Path(scratch) / "home", console) as ready:
                narration.measured["started in"] = f"{time.monotonic() - started:.0f} s"
                Tour(ready, narration).play()
        except TourFailed as failure:
            console.print(f"[red]✗[/red] {escape(str(failure))}", highlight=False, soft_wrap=True)
            raise typer.Exit(TOUR_FAILED) from failure
    _summarise(narration, time.monotonic() - started)


def _summarise(narration: Narration, seconds: float) -> None:
    narration.chapter("Summary")
    narration.table(
        ("what", "how much"),
        [
            ("expectations checked", narration.checked),
            *narration.measured.items(),
            ("the whole tour", f"{seconds:.0f} s"),
        ],
    )
    narration.say("Everything that was started has been stopped. Your own: make up")
