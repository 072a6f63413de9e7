"""Services: the whole system runs (`streamweave up`), and one of its processes is killed while it harvests.

The supervisor then stops the rest. The system is started again on the same home and harvests again; the dead run's
claims are waited for, 15 s, as they come.
"""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
from rich.console import Console
from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from soak.errors import SoakFailed
from soak.evidence import Evidence, archived_in, copies_in, sha256, staged_in, versions_in
from soak.ledger import Ledger, Run, judged
from soak.orders import End
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import Transfer, TransferStatus
from streamweave_cli.demo_system import Client, DemoSystem, Narration, TourFailed, demo_system
from streamweave_cli.home import Home
from streamweave_cli.processes import supervised_processes
from streamweave_cli.running_system import read_env_file

SLUG, SHARE, FOLDER = "microscope_01", "microscope", "Microscope 01"
ARCHIVE = "Archive Storage"
PROGRAMS = {
    "the Dagster daemon": "streamweave_dagster.daemon",
    "the REST service": "streamweave_api",
    "Dagster's code server": "code-server",
}
SMALL_FILES, LARGE_FILES, LARGE_BYTES = 400, 4, 6 << 20
PATIENCE_SECONDS = 180.0
POLL_SECONDS = 0.05


def services(work: Path, say: Callable[[str], None], *, runs: int) -> Ledger:
    """Kill each program so many times."""
    ledger = Ledger("A part of the running system is killed", "killed with SIGKILL, of `streamweave up`")
    for what in PROGRAMS:
        for number in range(runs):
            home = work / "homes" / f"{PROGRAMS[what]}-{number}"
            ledger.runs.append(kill_a_service(home, what, number))
            say(f"{what}: {number + 1} of {runs}")
    return ledger


def kill_a_service(home: Path, what: str, number: int) -> Run:
    """One run."""
    home.mkdir(parents=True)
    chance = random.Random(f"{what} {number}")
    with _system(home) as (system, client):
        _write(system, chance)
        _retry_at_once(client)
        _trigger(client)
        _until(lambda: _completed(home) > 0, "a first file is archived")
        time.sleep(chance.uniform(0, 1.0))  # the moment of the kill, not a wait for something
        _kill(home, PROGRAMS[what])
        _until(lambda: not supervised_processes(home), "the supervisor has stopped the rest")
        password = system.admin_password
    with _system(home, password) as (system, client):
        harvested = _harvest(client)
        with _catalog(home) as engine:
            evidence = _evidence(system, engine)
    recovery = End(0, None, 0 if harvested == "" else 2, harvested)
    killed = End(0, signal.SIGKILL, None)
    return judged(what, f"services {PROGRAMS[what]} {number}", [killed], recovery, evidence)


@contextmanager
def _system(home: Path, password: str | None = None) -> Iterator[tuple[DemoSystem, Client]]:
    """The running system; from its second start on, the admin's password is that of the first."""
    with demo_system(home, Console(quiet=True)) as system, closing(Client(system.api)) as client:
        client.log_in(system.admin_email, password or system.admin_password)
        yield system, client


def _write(system: DemoSystem, chance: random.Random) -> None:
    for number in range(SMALL_FILES):
        place = system.shares / SHARE / f"run_{number % 7}" / f"scan_{number:03}.csv"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(chance.randbytes(chance.randint(1, 20_000)))
    for number in range(LARGE_FILES):
        (system.shares / SHARE / f"stack_{number}.raw").write_bytes(chance.randbytes(LARGE_BYTES))


def _retry_at_once(client: Client) -> None:
    """The share stops with the rest: a file that was lost on it is due again when it is harvested next."""
    (instrument,) = [each["id"] for each in client.get("/api/instruments") if each["slug"] == SLUG]
    client.patch(f"/api/instruments/{instrument}", {"retry_delay_seconds": 1})


def _trigger(client: Client) -> None:
    client.post(f"/api/schedules/{_schedule(client)}/trigger", status=200)


def _schedule(client: Client) -> str:
    instruments = {each["id"]: each["slug"] for each in client.get("/api/instruments")}
    (schedule,) = [each for each in client.get("/api/schedules") if instruments[each["instrument_id"]] == SLUG]
    return str(schedule["id"])


def _harvest(client: Client) -> str:
    """Harvest to the end; what went wrong, or nothing."""
    try:
        client.harvest(Narration(Console(quiet=True)), _schedule(client))
    except TourFailed as error:
        return str(error)
    return ""


def _kill(home: Path, program: str) -> None:
    chosen = [each for each in supervised_processes(home) if any(program in word for word in _command(each))]
    if not chosen:
        raise SoakFailed(f"{program} does not run")
    min(chosen, key=lambda process: process.create_time()).kill()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def _catalog(home: Path) -> Iterator[Engine]:
    variables = read_env_file(Home.at(home)) or {}
    with open_catalog(variables["STREAMWEAVE_DATABASE_URL"]) as engine:
        yield engine


def _completed(home: Path) -> int:
    with _catalog(home) as engine, catalog_sessions(engine)() as session:
        completed = select(func.count()).select_from(Transfer).where(Transfer.status == TransferStatus.COMPLETED)
        return session.scalar(completed) or 0


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise SoakFailed(f"after {PATIENCE_SECONDS:.0f} s it is still not so that {what}")
        time.sleep(POLL_SECONDS)


def _evidence(system: DemoSystem, engine: Engine) -> Evidence:
    """Of the microscope alone: the system has other instruments too."""
    share, archive = system.shares / SHARE, system.storage / "archive"
    files = {f"{SHARE}/{place.relative_to(share)}": place for place in share.rglob("*") if place.is_file()}
    versions = [version for version in versions_in(engine) if version.source_path.startswith(f"{SHARE}/")]
    ids = {version.id for version in versions}
    return Evidence(
        contents={path: [sha256(place.read_bytes())] for path, place in files.items()},
        lapsed={},
        on_share=frozenset(files),
        skipped=frozenset(path for path in files if path.endswith((".tmp", ".lock"))),
        archives={ARCHIVE: {path: each for path, each in archived_in(archive).items() if path.startswith(FOLDER)}},
        staged={ARCHIVE: staged_in(archive)},
        versions=versions,
        copies=[copy for copy in copies_in(engine) if copy.version_id in ids],
    )
