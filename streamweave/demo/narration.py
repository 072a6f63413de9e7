"""What the tour says, and what it holds the system to."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from streamweave.errors import Permanent

Value = TypeVar("Value")


class TourFailed(Permanent):
    """The system did not do what the tour expected of it."""


@dataclass
class Narration:
    """Speaks to the console and counts what was checked."""

    console: Console
    checked: int = 0
    measured: dict[str, str] = field(default_factory=dict)

    def chapter(self, title: str) -> None:
        """Begin a part of the tour."""
        self.console.print()
        self.console.rule(f"[bold]{title}", align="left")

    def say(self, sentence: str) -> None:
        """Tell something."""
        self.console.print(escape(sentence), highlight=False, soft_wrap=True)

    def show(self, body: Any) -> None:
        """Show a body as the service answered it."""
        self.console.print_json(json.dumps(body))

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """Show some rows."""
        table = Table(box=box.SIMPLE)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
        self.console.print(table)

    def expect(self, holds: bool, sentence: str) -> None:
        """Check an expectation. Raises ``TourFailed``."""
        if not holds:
            raise TourFailed(f"expected: {sentence}")
        self.checked += 1
        self.console.print(f"[green]✓[/green] {escape(sentence)}", highlight=False, soft_wrap=True)

    def wait_for(self, sentence: str, look: Callable[[], Value | None], seconds: float) -> Value:
        """Look again and again until there is something to see. Raises ``TourFailed`` after ``seconds``."""
        started = time.monotonic()
        with self.console.status(sentence):
            while time.monotonic() - started < seconds:
                found = look()
                if found:
                    return found
                time.sleep(0.25)
        raise TourFailed(f"after {seconds:.0f} s still not: {sentence}")
