"""StreamWeave at a terminal.

Exit codes: 0 done, or stopped by SIGINT or SIGTERM; 1 something failed while running; 2 it can't be done as asked, with
one sentence on standard error. For `certify`, 1 means that it is not safe.
"""

import typer

from streamweave.cli.alerts import alerts
from streamweave.cli.backup import backup, restore
from streamweave.cli.catalog import catalog
from streamweave.cli.certify import certify
from streamweave.cli.configuration import configure, create_admin, migrate
from streamweave.cli.demo import demo
from streamweave.cli.harvest import harvest
from streamweave.cli.rebuild import rebuild_catalog
from streamweave.cli.storage import storage
from streamweave.cli.up import up
from streamweave.cli.verify import verify

app = typer.Typer(
    name="streamweave",
    help="From an instrument's share to a proven, identified, catalogued file.",
    no_args_is_help=True,
    add_completion=False,
)


for command in (up, demo, harvest, verify, certify, alerts, backup, restore, migrate, create_admin, configure):
    app.command()(command)
app.add_typer(storage, name="storage")
app.add_typer(catalog, name="catalog")
app.command("rebuild")(rebuild_catalog)
