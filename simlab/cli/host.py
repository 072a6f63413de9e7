"""`simlab host`: one instrument of the seed alone, until a signal ends it."""

from pathlib import Path
from typing import Annotated

import typer

from simlab.cli.account import Password, Username
from simlab.cli.foreground import say, until_a_signal, wait
from simlab.host import SMB_PORT, Account, instrument_called, run_host


def host(
    instrument: Annotated[str, typer.Argument(help="The instrument's slug: microscope_01, say.")],
    username: Username,
    password: Password,
    folder: Annotated[Path, typer.Option(help="The shared folder; it is made, and the seed's files in it.")],
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The TCP port.")] = SMB_PORT,
    interface: Annotated[
        str | None,
        typer.Option(help="Listen here too: a device, an address with prefix length, or 0.0.0.0 for everywhere."),
    ] = None,
) -> None:
    """Serve one simulated instrument over SMB until SIGINT or SIGTERM, on loopback unless told otherwise."""
    simulated = instrument_called(instrument)
    with (
        until_a_signal(),
        run_host(simulated, folder, Account(username, password), port=port, interface=interface) as server,
    ):
        say(f"{simulated.name}: {interface or server.host}:{server.port}, share {simulated.share}, {folder}")
        say("ready")
        wait()
