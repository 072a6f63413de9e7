"""`simlab produce FOLDER growing|rename|burst|large|acquisition`: make an instrument write while one watches."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from simlab.instruments import Step, acquisition, burst, growing_file, large_file, renamed_file

produce = typer.Typer(help="Make an instrument write into its folder.", no_args_is_help=True)

Name = Annotated[str | None, typer.Option(help="Name inside the folder. [default: one made of the time]")]
Rows = Annotated[int, typer.Option(min=0, help="Rows to write.")]
Files = Annotated[int, typer.Option(min=0, help="Files to write.")]
Size = Annotated[int, typer.Option("--bytes", min=0, help="Size of a file in bytes.")]
Pause = Annotated[float, typer.Option(min=0, help="Seconds between two steps.")]


@produce.callback()
def choose_folder(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, writable=True, help="The instrument's folder.")
    ],
) -> None:
    """Make an instrument write into its folder."""
    context.obj = folder


@produce.command()
def growing(context: typer.Context, name: Name = None, rows: Rows = 30, pause: Pause = 1.0) -> None:
    """Write a file that grows row by row."""
    _report(growing_file(context.obj, name or f"{_stamp()}.csv", rows=rows, pause_seconds=pause))


@produce.command()
def rename(context: typer.Context, name: Name = None, rows: Rows = 30, pause: Pause = 1.0) -> None:
    """Write a temporary file and rename it at the end."""
    _report(renamed_file(context.obj, name or f"{_stamp()}.csv", rows=rows, pause_seconds=pause))


@produce.command(name="burst")
def burst_of_files(
    context: typer.Context, name: Name = None, files: Files = 100, size: Size = 4096, pause: Pause = 0.0
) -> None:
    """Write many small files into a new folder."""
    _report(burst(context.obj, name or _stamp(), files=files, size=size, pause_seconds=pause))


@produce.command()
def large(context: typer.Context, name: Name = None, size: Size = 1_000_000_000, pause: Pause = 0.0) -> None:
    """Write one large file, 1 MiB at each step."""
    _report(large_file(context.obj, name or f"{_stamp()}.raw", size=size, pause_seconds=pause))


@produce.command(name="acquisition")
def acquisition_of_files(
    context: typer.Context,
    name: Name = None,
    files: Files = 30,
    size: Size = 4096,
    marker: Annotated[bool, typer.Option(help="Write done.txt at the end.")] = True,
    pause: Pause = 1.0,
) -> None:
    """Write many files that belong together into a new folder, and done.txt at the end."""
    _report(acquisition(context.obj, name or _stamp(), files=files, size=size, marker=marker, pause_seconds=pause))


def _report(steps: Iterable[Step]) -> None:
    for step in steps:
        print(f"{step.path} {step.size} bytes{', finished' if step.finished else ''}", flush=True)


def _stamp() -> str:
    return datetime.now(UTC).strftime("recording_%Y%m%dT%H%M%S")
