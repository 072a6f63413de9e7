"""A host: one simulated instrument alone, reached as its control PC would be, by a name in a network and on SMB's port.

A laboratory's servers listen on loopback, on ports of their own and with a password made up here; a host is given port
and service account, and listens on a given interface, which only Samba can.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simlab.errors import UnknownInstrumentError
from simlab.seed import SEED, SimulatedInstrument, write_seed
from simlab.shares import Share, ShareServer, samba, serve

SMB_PORT = 445
EVERYWHERE = "0.0.0.0"


@dataclass(frozen=True)
class Account:
    """The one user whom the host lets in."""

    username: str
    password: str


@dataclass(frozen=True)
class HostAddress:
    """Where a host is reached from elsewhere in its network."""

    host: str
    port: int = SMB_PORT


def instrument_called(slug: str) -> SimulatedInstrument:
    """Return the seed's instrument of that slug. Raises `UnknownInstrumentError`."""
    known = {instrument.slug: instrument for instrument in SEED}
    if slug not in known:
        raise UnknownInstrumentError(f"There is no instrument {slug!r}: it is one of {', '.join(known)}.")
    return known[slug]


@contextmanager
def run_host(
    instrument: SimulatedInstrument,
    folder: Path,
    account: Account,
    *,
    port: int = SMB_PORT,
    interface: str | None = None,
) -> Iterator[ShareServer]:
    """Write the instrument's seed into `folder` and serve that folder until the context ends.

    `interface` is where to listen beside loopback: a network device's name, an address with its prefix length
    (`192.0.2.7/24`), or `0.0.0.0` for everywhere. Raises `SimlabError`.
    """
    write_seed(instrument, folder)
    with (
        tempfile.TemporaryDirectory(prefix="simlab-host-") as work_folder,
        serve(
            [Share(instrument.share, folder)],
            kind=None if interface is None else samba.KIND,
            port=port,
            work_folder=Path(work_folder),
            username=account.username,
            password=account.password,
            options=_listening(interface),
        ) as server,
    ):
        yield server


def _listening(interface: str | None) -> dict[str, str]:
    """Return Samba's options (smb.conf(5)). Loopback stays: there the server is asked whether it is up."""
    if interface is None:
        return {}
    if interface == EVERYWHERE:
        return {"bind interfaces only": "no"}
    return {"interfaces": f"127.0.0.1/8 {interface}"}
