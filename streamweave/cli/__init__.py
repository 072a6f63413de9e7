"""StreamWeave at a terminal.

Exit codes: 0 done, or stopped by SIGINT or SIGTERM; 1 something failed while running; 2 it can't be done as asked, with
one sentence on standard error.
"""

import typer

from streamweave.cli.up import up

app = typer.Typer(
    name="streamweave",
    help="From an instrument's share to a proven, identified, catalogued file.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def commands() -> None:
    """Without it a single command would swallow its own name."""


app.command()(up)
