"""simlab at a terminal: `serve` runs a laboratory, `produce` makes an instrument write.

`host` runs one instrument alone, and `manifest` describes the laboratory that is made of such hosts. `faults` lists
what can go wrong with a share, and `fault` serves one with which it does.

Exit codes: 0 done, or stopped by SIGINT or SIGTERM; 2 it can't be done as asked, with one sentence on standard error.
"""

import sys

import typer

from simlab.cli.faults import fault, faults
from simlab.cli.host import host
from simlab.cli.manifest import manifest
from simlab.cli.produce import produce
from simlab.cli.serve import serve
from simlab.errors import SimlabError

app = typer.Typer(name="simlab", help="Simulated instruments on real SMB.", no_args_is_help=True, add_completion=False)
for command in (serve, host, manifest, faults, fault):
    app.command()(command)
app.add_typer(produce, name="produce")


def main() -> None:
    """Run the command line, turning what can't be done into one sentence and exit code 2."""
    try:
        app(prog_name="simlab")
    except (SimlabError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
