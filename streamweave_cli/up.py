"""`streamweave up`: the whole system on this machine, in the foreground."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streamweave.errors import StartError
from streamweave.printable import printable_besides_colours
from streamweave.settings import Settings
from streamweave_cli import programs
from streamweave_cli.dagster_home import write_dagster_home
from streamweave_cli.databases import CATALOG, configure_from, prepare_admin, prepare_catalog
from streamweave_cli.home import Home
from streamweave_cli.log_mux import LogMux
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.processes import end_supervised
from streamweave_cli.programs import Ports, plain_environment, system_environment
from streamweave_cli.readiness import LOOPBACK, free_port, is_taken
from streamweave_cli.running_system import DEFAULT_HOME, own_settings, write_env_file
from streamweave_cli.supervisor import Ended, StopRequested, StopSignals, Supervisor
from streamweave_cli.terminal import one_sentence

SOMETHING_FAILED = 1


def up(
    home: Annotated[
        Path | None, typer.Option("--home", help="The folder that keeps everything.", show_default=DEFAULT_HOME)
    ] = None,
    simlab: Annotated[bool, typer.Option("--simlab", help="With simulated instruments.")] = False,
    api_port: Annotated[int, typer.Option(min=0, max=65_535, help="The API's port; 0 takes a free one.")] = 8000,
    dagster_port: Annotated[int, typer.Option(min=0, max=65_535, help="Dagster's port; 0 takes a free one.")] = 3000,
) -> None:
    """Run the whole system until Ctrl-C or SIGTERM."""
    with one_sentence():
        ended = _run(own_settings(home), _ports(api_port, dagster_port), simlab=simlab)
    if ended is not None:
        typer.echo(f"{ended.name} {ended.how}, so everything was stopped; it last said:", err=True)
        for line in ended.last_lines:
            typer.echo(f"  {printable_besides_colours(line)}", err=True)
        raise typer.Exit(SOMETHING_FAILED)


def _ports(api: int, dagster: int) -> Ports:
    """The ports that the command names, 0 being a free one. Raises ``StartError``."""
    for port, flag in ((api, "--api-port"), (dagster, "--dagster-port")):
        if port and is_taken(port):
            raise StartError(f"port {port} is taken: choose another one with {flag} (0 takes a free one)")
    if api and api == dagster:
        raise StartError(f"--api-port and --dagster-port are both {api}: choose two ports")
    return Ports(api or free_port(), dagster or free_port(), free_port())


def _run(settings: Settings, ports: Ports, *, simlab: bool) -> Ended | None:
    """Run the system until a signal asks to stop (None), or one of its processes has ended.

    Whatever happens, nothing that was started is left running. Raises ``StartError`` when it can't start.
    """
    settings.allowed_storage()
    home = Home.at(settings.home)
    home.create()
    with StopSignals() as signals, home.lock(), LogMux(Console()) as relay:
        return _System(settings, home, ports, simlab, relay.say).run(Supervisor(home.root, relay, signals))


@dataclass(frozen=True)
class _System:
    """What is started for a home; ``say`` prints a line beside the output of the processes."""

    settings: Settings
    home: Home
    ports: Ports
    simlab: bool
    say: Callable[[str], None]

    def run(self, supervisor: Supervisor) -> Ended | None:
        """Start everything, in order, and stay until asked to stop (None) or until one has ended; then stop all."""
        with ExitStack() as stack:
            stack.callback(self.say, "stopped")
            stack.callback(self.home.environment.unlink, missing_ok=True)
            if leftovers := end_supervised(self.home.root):
                self.say(f"ended {leftovers} processes that an earlier start had left running")
            database_url = str(self.settings.database_url)
            if self.settings.database_url is None:
                postgres = stack.enter_context(EmbeddedPostgres(self.home.postgres))
                supervisor.watch_also("postgres", lambda: postgres.pid is not None)
                database_url = postgres.url(CATALOG)
            stack.enter_context(supervisor)
            try:
                self._start(supervisor, database_url)
            except StopRequested:
                return None
            return supervisor.watch()

    def _start(self, supervisor: Supervisor, database_url: str) -> None:
        settings = prepare_catalog(database_url, self.home, self.settings, self.say)
        if self.simlab:
            supervisor.start(programs.simlab(self.home, plain_environment()))
            configure_from(self.home.manifest, settings)
        environment = system_environment(self.home, settings, self.ports)
        workspace = write_dagster_home(
            self.home.dagster, code_server_host=LOOPBACK, code_server_port=self.ports.code_server
        )
        supervisor.run(programs.preparation(environment))
        supervisor.start(programs.code_server(self.ports, environment))
        supervisor.start(programs.daemon(workspace, environment))
        supervisor.start(programs.webserver(self.ports, workspace, environment))
        self._announce_admin(settings)
        supervisor.start(programs.api(self.ports, environment))
        write_env_file(self.home, environment)
        self._announce()

    def _announce_admin(self, settings: Settings) -> None:
        """A made-up password is printed here, as soon as it is made, and is kept nowhere."""
        email, made_up_password = prepare_admin(settings)
        self.say(f"admin      {email}")
        if made_up_password is not None:
            self.say(f"password   {made_up_password}   (made up, shown this once)")

    def _announce(self) -> None:
        api = f"http://{LOOPBACK}:{self.ports.api}"
        self.say(f"API        {api}")
        self.say(f"API docs   {api}/schema")
        self.say(f"Dagster    http://{LOOPBACK}:{self.ports.dagster}")
        self.say(f"home       {self.home.root}")
        if self.simlab:
            self.say(f"storage    {self.home.storage}")
            for share in sorted(path for path in self.home.simlab.iterdir() if path.is_dir() and path.name[0] != "."):
                self.say(f"drop files {share}")
        self.say("ready")
