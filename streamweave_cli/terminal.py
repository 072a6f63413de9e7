"""What all commands share at a terminal: progress, tables, and errors as one sentence with exit code 2."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Display
from rich.table import Table
from rich.text import Text

from streamweave.errors import NotFound, StreamWeaveError
from streamweave.harvest.progress import Interval, Progress, ProgressListener
from streamweave.printable import printable
from streamweave.settings import sentence_of

SECONDS_BETWEEN_LINES = 10.0
WIDEST = 20_000  # columns
NAMED = 10


@contextmanager
def progress_shown(console: Console) -> Iterator[ProgressListener]:
    """A listener that shows progress until the block ends: a bar, or lines where the output is no terminal."""
    if not console.is_terminal:
        yield _progress_lines(console)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Display(*columns, console=console, transient=True) as display:
        task = display.add_task("", total=None, visible=False)

        def show(progress: Progress) -> None:
            display.update(
                task,
                description=printable(progress.sentence()),
                completed=progress.files,
                total=progress.files_total,
                visible=True,
            )

        yield show


def _progress_lines(console: Console) -> ProgressListener:
    """Prints a line every `SECONDS_BETWEEN_LINES`, and one when everything is done."""
    interval = Interval(SECONDS_BETWEEN_LINES)

    def show(progress: Progress) -> None:
        is_last = progress.files == progress.files_total
        if is_last or interval.is_over:
            interval.restart()
            say(console, progress.sentence())

    return show


def folding_table(*columns: str, title: Text | None = None) -> Table:
    """A table whose cells are folded where the terminal is too narrow, and never cut."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def show_table(console: Console, table: Table) -> None:
    """Print it; where the output is no terminal, as wide as it is, so that each row is one line."""
    if not console.is_terminal:
        console.width = max(console.width, console.measure(table, options=console.options.update(width=WIDEST)).maximum)
    console.print(table)


def say(console: Console, sentence: str, style: str | None = None) -> None:
    """Print a sentence as it is, on one line."""
    console.print(printable(sentence), style=style, markup=False, highlight=False, soft_wrap=True)


class UnknownName(NotFound):
    """There is nothing of that name; the sentence names the nearest names, or the first ones."""

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        nearest = get_close_matches(name, names, NAMED)
        hint = f": did you mean {' or '.join(nearest)}?" if nearest else ""
        if names and not nearest:
            hint = f"; known: {', '.join(names[:NAMED])}{', …' if len(names) > NAMED else ''}"
        StreamWeaveError.__init__(self, f"{noun} {name} not found{hint}")


CANNOT_BE_DONE = 2


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn our own errors, and values of the environment that can't be used, into one sentence and exit code 2."""
    try:
        yield
    except StreamWeaveError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(CANNOT_BE_DONE) from error
    except ValidationError as error:
        typer.echo(printable(sentence_of(error.errors()[0])), err=True)
        raise typer.Exit(CANNOT_BE_DONE) from error
