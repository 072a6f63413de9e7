"""A run's process is killed where no launcher hears of it: the lease tells, and Dagster tries the run again.

Everything is real here: PostgreSQL, an SMB server, Dagster's daemon and code server, and the run's own process.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml
from cryptography.fernet import Fernet
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.utils import make_new_run_id

from simlab.shares import Share, serve
from streamweave.catalog.session import Sessions
from streamweave.instruments.dagster import harvest_run_config, harvest_run_tags
from streamweave.instruments.instruments import create_instrument
from streamweave.instruments.schedules import create_schedule
from streamweave.instruments.service_accounts import create_service_account
from streamweave.sealing import Sealer
from streamweave.storage.locations import create_storage_location
from streamweave_cli.dagster_home import instance_settings, workspace
from streamweave_cli.databases import ensure_database, for_dagster
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.readiness import free_port, is_taken
from streamweave_dagster.preparation import make_tables

STATUS = dg.DagsterRunStatus
LAUNCHER = {"module": "launcher_elsewhere", "class": "LauncherElsewhere"}
STARTING_SECONDS = 240.0
LOST_SECONDS = 120.0
"""Half of it is the promise; the rest is for a machine that is busy with other tests."""


@dataclass
class System:
    """Dagster at work on one instrument."""

    home: Path
    archive: Path
    environment: Mapping[str, str]
    instance: dg.DagsterInstance

    def launch_harvest(self) -> str:
        """The id of the run."""
        before = {run.run_id for run in self.instance.get_runs()}
        command = [sys.executable, "-m", "dagster", "job", "launch", "-w", str(self.home / "workspace.yaml")]
        command += ["-j", "harvest", "--config-json", json.dumps(harvest_run_config("microscope_01"))]
        command += ["--tags", json.dumps(harvest_run_tags("microscope_01"))]
        subprocess.run(command, env=self.environment, check=True, timeout=STARTING_SECONDS, capture_output=True)
        (run,) = [run for run in self.instance.get_runs() if run.run_id not in before]
        return run.run_id

    def status(self, run_id: str) -> STATUS:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def log(self, run_id: str) -> str:
        return "\n".join(entry.message for entry in self.instance.all_logs(run_id))

    def retry_of(self, run_id: str) -> dg.DagsterRun | None:
        return next((run for run in self.instance.get_runs() if run.parent_run_id == run_id), None)

    def add_run_of_another_team(self) -> str:
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("other_team"), "__repository__")
        run = dg.DagsterRun(
            job_name="theirs",
            run_id=make_new_run_id(),
            status=STATUS.STARTED,
            remote_job_origin=repository.get_job_origin("theirs"),
        )
        self.instance.add_run(run)
        return run.run_id


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = STARTING_SECONDS, of: Callable[[], str] = lambda: ""
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited for {seconds:g} s: {what}\n{of()}"
        time.sleep(0.2)


@pytest.fixture
def system(
    sessions: Sessions, database_url: str, postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[System]:
    """Everything runs; the instrument's share holds one file, which must be quiet for a while."""
    ensure_database(postgres.url("dagster_killed_runs"))
    home = tmp_path / "dagster"
    home.mkdir()
    variables = {
        "STREAMWEAVE_DATABASE_URL": database_url,
        "STREAMWEAVE_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "STREAMWEAVE_DAGSTER_DATABASE_URL": for_dagster(postgres.url("dagster_killed_runs")),
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    make_tables(variables["STREAMWEAVE_DAGSTER_DATABASE_URL"])
    port = free_port()
    (home / "dagster.yaml").write_text(yaml.safe_dump({**instance_settings(), "run_launcher": LAUNCHER}))
    (home / "workspace.yaml").write_text(yaml.safe_dump(workspace("127.0.0.1", port)))
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "scan_01.csv").write_bytes(b"frame,value\n1,2\n")
    with ExitStack() as stack:
        server = stack.enter_context(serve([Share("microscope", tmp_path / "share")], work_folder=tmp_path / "server"))
        enter(sessions, Sealer(variables["STREAMWEAVE_ENCRYPTION_KEYS"]), server, tmp_path / "archive")
        environment = {**os.environ, **variables}
        module = ["-m", "streamweave_dagster.definitions", "--location-name", "streamweave"]
        run_program(stack, environment, "dagster", "code-server", "start", *module, "--port", str(port))
        wait_until(lambda: is_taken(port), "the code server listens")
        run_program(stack, environment, "dagster._daemon", "run", "-w", str(home / "workspace.yaml"))
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        yield System(home, tmp_path / "archive", environment, instance)


def run_program(stack: ExitStack, environment: Mapping[str, str], *command: str) -> None:
    """Run a module until the stack unwinds, which ends all that it has started too."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def end() -> None:
        descendants = psutil.Process(process.pid).children(recursive=True)
        for each in descendants:
            each.kill()
        process.kill()
        process.wait()

    stack.callback(end)


def enter(sessions: Sessions, sealer: Sealer, server: Any, archive: Path) -> None:
    with sessions.begin() as session:
        login = {"username": server.username, "password": server.password}
        account = create_service_account(session, sealer, {"name": "lab", **login})
        instrument = create_instrument(
            session,
            {
                "name": "Microscope 01",
                "cifs_host": server.host,
                "cifs_port": server.port,
                "cifs_share": "microscope",
                "service_account_id": account.id,
                "quiet_period_seconds": 20,
                "enabled": False,  # so that no sensor looks before the run does
            },
        )
        location = create_storage_location(session, sealer, {"name": "archive", "base_path": str(archive)})
        named = {"instrument_id": instrument.id, "default_storage_location_id": location.id}
        create_schedule(session, {**named, "cron_expression": "0 3 1 1 *"})


def process_of(run_id: str) -> psutil.Process | None:
    for process in psutil.process_iter(["cmdline"]):
        if run_id in " ".join(process.info["cmdline"] or []) and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def test_a_run_that_was_killed_is_failed_and_tried_again_and_its_file_is_archived_once(
    system: System, sessions: Sessions
) -> None:
    theirs = system.add_run_of_another_team()
    run_id = system.launch_harvest()
    wait_until(lambda: "waiting 20 s" in system.log(run_id), "an op is under way", of=lambda: system.log(run_id))
    process = process_of(run_id)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)

    wait_until(lambda: system.status(run_id) == STATUS.FAILURE, "the lost run is failed", LOST_SECONDS)
    assert "This run was lost" in system.log(run_id)
    wait_until(lambda: system.retry_of(run_id) is not None, "Dagster tries it again")
    retry = system.retry_of(run_id)
    assert retry is not None
    wait_until(
        lambda: system.status(retry.run_id) == STATUS.SUCCESS,
        "the retry has succeeded",
        of=lambda: system.log(retry.run_id),
    )

    archived = [path for path in system.archive.rglob("*") if path.is_file() and ".streamweave" not in path.parts]
    assert [path.name for path in archived] == ["scan_01.csv"]
    assert archived[0].read_bytes() == b"frame,value\n1,2\n"
    assert system.status(theirs) == STATUS.STARTED
