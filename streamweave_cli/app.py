"""StreamWeave at a terminal.

Exit codes: 0 done, or stopped by SIGINT or SIGTERM; 1 something failed while running; 2 it can't be done as asked, with
one sentence on standard error. For `certify`, 1 means that it is not safe.
"""

from importlib.metadata import version
from typing import Annotated

import typer

from streamweave.garbage import reduce_gc
from streamweave_cli.alerts import alerts
from streamweave_cli.backup import backup, restore
from streamweave_cli.certify import certify
from streamweave_cli.configuration import configure, create_admin, migrate
from streamweave_cli.demo import demo
from streamweave_cli.harvest import harvest
from streamweave_cli.rebuild import rebuild_catalog
from streamweave_cli.storage import catalog, storage
from streamweave_cli.up import up
from streamweave_cli.verify import verify

app = typer.Typer(
    name="streamweave",
    help="From an instrument's share to a proven, identified, catalogued file.",
    no_args_is_help=True,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"streamweave {version('streamweave')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[  # noqa: ARG001 - its callback acts
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    reduce_gc()


for command in (up, demo, harvest, verify, certify, alerts, backup, restore, migrate, create_admin, configure):
    app.command()(command)
app.add_typer(storage, name="storage")
app.add_typer(catalog, name="catalog")
app.command("rebuild")(rebuild_catalog)
