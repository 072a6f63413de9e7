"""`streamweave up`: the whole system on this machine, in the foreground."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from streamweave.printable import printable_besides_colours
from streamweave.settings import Settings
from streamweave_cli.running_system import DEFAULT_HOME
from streamweave_cli.system import UpOptions, run_system
from streamweave_cli.terminal import one_sentence

SOMETHING_FAILED = 1

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="The folder that keeps everything.", show_default=DEFAULT_HOME)
]
SimlabOption = Annotated[bool, typer.Option("--simlab", help="With simulated instruments.")]
ApiPortOption = Annotated[int, typer.Option(min=0, max=65_535, help="The API's port; 0 takes a free one.")]
DagsterPortOption = Annotated[int, typer.Option(min=0, max=65_535, help="Dagster's port; 0 takes a free one.")]


def up(
    home: HomeOption = None,
    simlab: SimlabOption = False,
    api_port: ApiPortOption = 8000,
    dagster_port: DagsterPortOption = 3000,
) -> None:
    """Run the whole system until Ctrl-C or SIGTERM."""
    with one_sentence():
        chosen: dict[str, Any] = {} if home is None else {"home": home}
        wishes = UpOptions(simlab=simlab, api_port=api_port, dagster_port=dagster_port)
        ended = run_system(Settings(**chosen), wishes, Console())
    if ended is not None:
        typer.echo(f"{ended.name} {ended.how}, so everything was stopped; it last said:", err=True)
        for line in ended.last_lines:
            typer.echo(f"  {printable_besides_colours(line)}", err=True)
        raise typer.Exit(SOMETHING_FAILED)
