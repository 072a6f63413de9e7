import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from simlab.errors import NoShareServerError, PortTakenError, UnknownInstrumentError
from simlab.host import Account, HostAddress, instrument_called, run_host
from simlab.seed import SEED, SimulatedInstrument
from simlab.shares import samba
from simlab.shares.base import free_port

ACCOUNT = Account("labuser", "correct horse")
MICROSCOPE = SEED[0]


def listening_addresses(pid: int) -> set[str]:
    return {
        connection.laddr.ip
        for connection in psutil.Process(pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.mark.parametrize("instrument", SEED, ids=lambda instrument: instrument.slug)
def test_each_instrument_is_called_by_its_slug(instrument: SimulatedInstrument) -> None:
    assert instrument_called(instrument.slug) is instrument


def test_an_unknown_instrument_is_told_from_those_that_exist() -> None:
    with pytest.raises(UnknownInstrumentError, match=r"'nope'.*microscope_01"):
        instrument_called("nope")


def test_hosts_have_names_of_their_own_and_smbs_port() -> None:
    assert len({instrument.host for instrument in SEED}) == len(SEED)
    assert HostAddress(MICROSCOPE.host) == HostAddress("microscope-01", 445)


def test_a_host_serves_its_folder_to_the_account_given(tmp_path: Path, client_of: Callable) -> None:
    port = free_port()
    with run_host(MICROSCOPE, tmp_path / "data", ACCOUNT, port=port) as server:
        assert (server.port, server.username, server.password) == (port, "labuser", "correct horse")
        assert client_of(server).names_in("microscope") == set(MICROSCOPE.files)
        assert {path.name for path in (tmp_path / "data").iterdir()} == set(MICROSCOPE.files)


def test_a_host_listens_on_loopback_unless_told_otherwise(tmp_path: Path) -> None:
    with run_host(MICROSCOPE, tmp_path, ACCOUNT, port=free_port()) as server:
        assert listening_addresses(server.pid) == {"127.0.0.1"}


@pytest.mark.parametrize(("interface", "address"), [("0.0.0.0", "0.0.0.0"), ("127.0.0.2/8", "127.0.0.2")])
def test_a_host_listens_where_it_is_told_to_or_refuses(interface: str, address: str, tmp_path: Path) -> None:
    served = run_host(MICROSCOPE, tmp_path, ACCOUNT, port=free_port(), interface=interface)
    if not samba.is_available():
        with pytest.raises(NoShareServerError, match="samba"), served:
            pass
        return
    with served as server:
        assert address in listening_addresses(server.pid)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)), run_host(MICROSCOPE, tmp_path, ACCOUNT, port=port):
            pass
