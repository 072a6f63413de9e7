"""What `streamweave up` does, from top to bottom, and what it prints once everything answers."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console

from streamweave.errors import StartError
from streamweave.settings import Settings
from streamweave_cli import programs
from streamweave_cli.dagster_home import write_dagster_home
from streamweave_cli.databases import CATALOG, Admin, configure_from, prepare_admin, prepare_catalog
from streamweave_cli.home import Home
from streamweave_cli.log_mux import LogMux
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.processes import end_supervised
from streamweave_cli.programs import Ports, plain_environment, system_environment
from streamweave_cli.readiness import LOOPBACK, free_port, is_taken
from streamweave_cli.running_system import write_env_file
from streamweave_cli.supervisor import Ended, StopRequested, StopSignals, Supervisor


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


@dataclass(frozen=True)
class UpOptions:
    """What the command line asks for. A port of 0 means a free one."""

    simlab: bool
    api_port: int
    dagster_port: int


@dataclass(frozen=True)
class System:
    """The whole system in one home. ``relay`` tells a person what happens."""

    settings: Settings
    wishes: UpOptions
    home: Home
    ports: Ports
    relay: LogMux

    def run(self, signals: StopSignals) -> Ended | None:
        """Start everything, in order, and stay until asked to stop (None) or until one has ended; then stop all."""
        with ExitStack() as stack:
            stack.callback(self.relay.say, "stopped")
            stack.callback(self.home.environment.unlink, missing_ok=True)
            self._end_leftovers()
            postgres = self._own_postgres(stack)
            supervisor = stack.enter_context(Supervisor(self.home.root, self.relay, signals))
            if postgres is not None:
                supervisor.watch_also("postgres", lambda: postgres.pid is not None)
            try:
                self._start(supervisor, postgres.url(CATALOG) if postgres else str(self.settings.database_url))
            except StopRequested:
                return None
            return supervisor.watch()

    def _end_leftovers(self) -> None:
        if leftovers := end_supervised(self.home.root):
            self.relay.say(f"ended {leftovers} processes that an earlier start had left running")

    def _own_postgres(self, stack: ExitStack) -> EmbeddedPostgres | None:
        """A server of our own that stops when the stack unwinds; None where the settings name one."""
        if self.settings.database_url is not None:
            return None
        return stack.enter_context(EmbeddedPostgres(self.home.postgres))

    def _start(self, supervisor: Supervisor, database_url: str) -> None:
        settings = prepare_catalog(database_url, self.home, self.settings, self.relay.say)
        if self.wishes.simlab:
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
        announce_admin(self.relay.say, prepare_admin(settings))
        supervisor.start(programs.api(self.ports, environment))
        write_env_file(self.home, environment)
        announce(self.relay.say, self.home, self.ports, simlab=self.wishes.simlab)


def run_system(settings: Settings, wishes: UpOptions, console: Console) -> Ended | None:
    """Run the whole system in the foreground until a signal asks to stop (None), or one of its processes has ended.

    Whatever happens, nothing that was started is left running. Raises ``StartError`` when it can't start.
    """
    ports = _ports(wishes)
    settings.allowed_storage()
    home = Home.at(settings.home)
    home.create()
    with StopSignals() as signals, home.lock(), LogMux(console) as relay:
        return System(settings, wishes, home, ports, relay).run(signals)


def _ports(wishes: UpOptions) -> Ports:
    for port, flag in ((wishes.api_port, "--api-port"), (wishes.dagster_port, "--dagster-port")):
        if port and is_taken(port):
            raise StartError(f"port {port} is taken: choose another one with {flag} (0 takes a free one)")
    if wishes.api_port and wishes.api_port == wishes.dagster_port:
        raise StartError(f"--api-port and --dagster-port are both {wishes.api_port}: choose two ports")
    return Ports(wishes.api_port or free_port(), wishes.dagster_port or free_port(), free_port())
