"""``python -m benchmarks [NAME…]``: measure, show, and write down."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.errors import BenchmarkFailed
from benchmarks.machine import machine_facts
from benchmarks.presentation import as_json, as_markdown, show
from benchmarks.registry import BENCHMARKS
from benchmarks.report import Report
from benchmarks.setting import Setting
from simlab.errors import NoShareServerError

CHECKOUT = Path(__file__).parent.parent
CANNOT_BE_MEASURED = 2
WIDTH = 120  # of tables in a log

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]…", help=f"Some of {', '.join(BENCHMARKS)}; all without.")
]
RoundsOption = Annotated[int, typer.Option(min=1, help="How often each contestant has its turn.")]
ScaleOption = Annotated[float, typer.Option(min=0.0001, help="The amount of data; the goals are about 1.")]
WorkOption = Annotated[
    Path | None, typer.Option(help="A folder for the data, emptied afterwards. [default: one beside the checkout's]")
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write every number to this file.")]
MarkdownOption = Annotated[Path | None, typer.Option("--markdown", help="Write the tables to this file.")]


def main(
    names: NamesArgument = None,
    rounds: RoundsOption = 3,
    scale: ScaleOption = 1.0,
    work: WorkOption = None,
    json_file: JsonOption = None,
    markdown_file: MarkdownOption = None,
) -> None:
    """Measure StreamWeave beside what people would use otherwise, and hold it against its goals."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    chosen = _chosen(names or list(BENCHMARKS))
    machine = machine_facts()
    reports: list[Report] = []
    with _work_folder(work) as folder:  # one for all: files that are deleted burden whoever makes some afterwards
        for name in chosen:
            (folder / name).mkdir(mode=0o755)
            try:
                report = BENCHMARKS[name](Setting(folder / name, console, rounds, scale))
            except (BenchmarkFailed, NoShareServerError) as error:
                typer.echo(f"{name} can't be measured: {error}", err=True)
                raise typer.Exit(CANNOT_BE_MEASURED) from error
            show(report, console)
            reports.append(report)
    if scale != 1:
        console.print(f"At scale {scale:g} the goals say little: they are about scale 1.")
    if json_file:
        json_file.write_text(as_json(reports, machine, {"rounds": rounds, "scale": scale}))
    if markdown_file:
        markdown_file.write_text(as_markdown(reports, machine))


def _chosen(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in BENCHMARKS:
            raise typer.BadParameter(f"there is no benchmark {name!r}: it is one of {', '.join(BENCHMARKS)}")
    return names


@contextmanager
def _work_folder(parent: Path | None) -> Iterator[Path]:
    """An empty folder that is removed again; by default on the disk that the checkout is on."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=parent or CHECKOUT) as folder:
        yield Path(folder)


if __name__ == "__main__":
    typer.run(main)
