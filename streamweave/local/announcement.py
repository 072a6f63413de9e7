"""What a person is told when everything answers."""

from collections.abc import Callable

from streamweave.local.catalog import Admin
from streamweave.local.home import Home
from streamweave.local.ports import LOOPBACK
from streamweave.local.programs import Ports


def announce_admin(say: Callable[[str], None], admin: Admin) -> None:
    """Say who the admin is. A made-up password is said here, as soon as it is made, and is kept nowhere."""
    say(f"admin      {admin.email}")
    if admin.made_up_password is not None:
        say(f"password   {admin.made_up_password}   (made up, shown this once)")


def announce(say: Callable[[str], None], home: Home, ports: Ports, *, simlab: bool) -> None:
    """Say where everything is, and that it is ready."""
    api = f"http://{LOOPBACK}:{ports.api}"
    say(f"API        {api}")
    say(f"API docs   {api}/schema")
    say(f"Dagster    http://{LOOPBACK}:{ports.dagster}")
    say(f"home       {home.root}")
    if simlab:
        say(f"storage    {home.storage}")
        for share in sorted(path for path in home.simlab.iterdir() if path.is_dir() and path.name[0] != "."):
            say(f"drop files {share}")
    say("ready")
