"""`simlab manifest`: describe the laboratory whose instruments are hosts of their own."""

from pathlib import Path
from typing import Annotated

import typer

from simlab.cli.account import Password, Username
from simlab.host import HostAddress
from simlab.manifest import as_json
from simlab.manifest import manifest as described
from simlab.seed import SEED


def manifest(
    username: Username,
    password: Password,
    storage_root: Annotated[Path, typer.Option(help="Where the storage locations are.")],
) -> None:
    """Print the manifest of the seed's instruments, each on the host of its name; it holds the password."""
    instruments = [(instrument, HostAddress(instrument.host)) for instrument in SEED]
    print(as_json(described(instruments, username=username, password=password, storage_root=storage_root)))
