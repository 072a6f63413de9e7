"""A laboratory: the seed's instruments, each on a share server of its own, all with the same service account."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simlab.errors import StateError
from simlab.private_file import write_private_file
from simlab.seed import SEED, SimulatedInstrument, write_seed
from simlab.shares import Share, ShareServer, serve
from simlab.shares.base import is_free

USERNAME = "labuser"
# beside the shared folders, never inside one of them
STATE_FOLDER = ".simlab"


@dataclass(frozen=True)
class LaboratoryState:
    """The service account's password, and the TCP port of each instrument by its slug."""

    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    ports: dict[str, int] = field(default_factory=dict)


def read_state(path: Path) -> LaboratoryState:
    """Return what `path` remembers, or a new state where there is no such file. Raises `StateError`."""
    try:
        content = json.loads(path.read_text())
        ports = {str(slug): int(port) for slug, port in content["ports"].items()}
        return LaboratoryState(password=str(content["password"]), ports=ports)
    except FileNotFoundError:
        return LaboratoryState()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{path} can't be read; remove it to start with new ports and a new password.") from error


def write_state(path: Path, state: LaboratoryState) -> None:
    """Remember `state` in a file that only its owner can read."""
    write_private_file(path, json.dumps(asdict(state), indent=2) + "\n")


@dataclass(frozen=True)
class ServedInstrument:
    """A simulated instrument whose share answers, and the folder where its files are written."""

    instrument: SimulatedInstrument
    folder: Path
    server: ShareServer

    @property
    def address(self) -> str:
        """The share's URL."""
        return f"smb://{self.server.host}:{self.server.port}/{self.instrument.share}"


@dataclass(frozen=True)
class Laboratory:
    """Instruments whose shares all answer to one user."""

    instruments: tuple[ServedInstrument, ...]
    username: str
    password: str


@contextmanager
def run_laboratory(
    folder: Path, *, kind: str | None = None, say: Callable[[str], None] = print
) -> Iterator[Laboratory]:
    """Write the seed under `folder` and serve it until the context ends.

    Ports and password are those of the last start in `folder`. A port that something else has taken meanwhile is
    replaced, which is reported to `say`. `kind` is one of `simlab.shares.available_kinds()`. Raises `SimlabError`.
    """
    folder = folder.absolute()
    state_file = folder / STATE_FOLDER / "state.json"
    state = read_state(state_file)
    with ExitStack() as servers:
        served = []
        for instrument in SEED:
            write_seed(instrument, folder / instrument.folder)
            port = _remembered_port(instrument, state, say)
            served.append(servers.enter_context(_serve(instrument, folder, state.password, kind, port)))
        ports = {one.instrument.slug: one.server.port for one in served}
        write_state(state_file, LaboratoryState(password=state.password, ports=ports))
        yield Laboratory(tuple(served), USERNAME, state.password)


def _remembered_port(instrument: SimulatedInstrument, state: LaboratoryState, say: Callable[[str], None]) -> int | None:
    port = state.ports.get(instrument.slug)
    if port is None or is_free(port):
        return port
    say(f"Port {port} of {instrument.name} is taken; choosing another.")
    return None


@contextmanager
def _serve(
    instrument: SimulatedInstrument, folder: Path, password: str, kind: str | None, port: int | None
) -> Iterator[ServedInstrument]:
    shared_folder = folder / instrument.folder
    with serve(
        [Share(instrument.share, shared_folder)],
        kind=kind,
        port=port,
        work_folder=folder / STATE_FOLDER / instrument.slug,
        username=USERNAME,
        password=password,
    ) as server:
        yield ServedInstrument(instrument, shared_folder, server)
