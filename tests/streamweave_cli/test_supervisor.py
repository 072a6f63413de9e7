"""The supervisor, with small children of our own."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from streamweave.errors import StartError
from streamweave_cli.log_mux import LogMux
from streamweave_cli.processes import end_supervised, is_alive, supervised_processes
from streamweave_cli.supervisor import Program, StopRequested, StopSignals, Supervisor

Until = Callable[[Callable[[], bool]], None]
WAITS = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
WITH_A_CHILD_OF_ITS_OWN = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAITS!r}])"
SUPERVISING = f"""
import os, sys
from pathlib import Path
from rich.console import Console
from streamweave_cli.log_mux import LogMux
from streamweave_cli.processes import end_supervised
from streamweave_cli.supervisor import Program, StopSignals, Supervisor
home = Path(sys.argv[1])
print("leftovers", end_supervised(home), flush=True)
with StopSignals() as signals, LogMux(Console()) as log, Supervisor(home, log, signals) as supervisor:
    supervisor.start(Program("one", [sys.executable, "-c", {WAITS!r}], os.environ))
    supervisor.start(Program("two", [sys.executable, "-c", {WITH_A_CHILD_OF_ITS_OWN!r}], os.environ))
    print("ready", flush=True)
    supervisor.watch()
"""


class Scene:
    """A supervisor in this process whose output is kept."""

    def __init__(self, home: Path, signals: StopSignals) -> None:
        self.home = home
        self.signals = signals
        self._written = io.StringIO()
        self.relay = LogMux(Console(file=self._written))
        self.supervisor = Supervisor(home, self.relay, signals, grace_seconds=1.0)

    @property
    def output(self) -> str:
        return self._written.getvalue()

    def program(self, name: str, code: str, ready: Callable[[], bool] = lambda: True, seconds: float = 20.0) -> Program:
        return Program(name, [sys.executable, "-c", code], os.environ, ready, seconds)

    def says(self, name: str, code: str, word: str) -> Program:
        """A program that is ready when it has said ``word``."""
        return self.program(name, code, lambda: word in self.relay.last_lines(name))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with StopSignals() as signals:
        scene = Scene(tmp_path, signals)
        with scene.relay, scene.supervisor:
            yield scene
    assert supervised_processes(tmp_path) == []


def test_each_program_starts_when_the_one_before_is_ready(scene: Scene, tmp_path: Path) -> None:
    slow = f"import pathlib, time; time.sleep(0.3); pathlib.Path({str(tmp_path / 'made')!r}).touch(); time.sleep(600)"
    looks = (
        f"import pathlib, time; print(pathlib.Path({str(tmp_path / 'made')!r}).exists(), flush=True); time.sleep(600)"
    )
    scene.supervisor.start(scene.program("slow", slow, (tmp_path / "made").exists))
    scene.supervisor.start(scene.says("looks", looks, "True"))
    assert "      looks | True\n" in scene.output


def test_every_line_carries_the_name_of_who_said_it(scene: Scene) -> None:
    code = "import sys; print('one\\ntwo'); print('[bold]é', file=sys.stderr); print('unfinished', end='')"
    scene.supervisor.run(scene.program("child", code))
    lines = scene.output.splitlines()
    assert {"      child | one", "      child | two", "      child | [bold]é", "      child | unfinished"} == set(lines)


def test_a_program_that_ends_before_it_is_ready_is_told_with_its_last_line(scene: Scene) -> None:
    code = "print('first'); print('no database'); raise SystemExit(3)"
    with pytest.raises(StartError, match="child ended with exit code 3: no database"):
        scene.supervisor.start(scene.program("child", code, lambda: False))


def test_a_program_that_never_answers_is_told(scene: Scene) -> None:
    with pytest.raises(StartError, match="child did not answer within 0 seconds"):
        scene.supervisor.start(scene.program("child", WAITS, lambda: False, seconds=0.1))


def test_a_program_run_to_its_end_must_succeed(scene: Scene) -> None:
    scene.supervisor.run(scene.program("good", ""))
    with pytest.raises(StartError, match="bad ended with exit code 5"):
        scene.supervisor.run(scene.program("bad", "raise SystemExit(5)"))


def test_when_one_dies_the_others_are_stopped(scene: Scene) -> None:
    scene.supervisor.start(scene.program("steady", WAITS))
    scene.supervisor.start(scene.program("frail", "import os; print('farewell', flush=True); os.kill(os.getpid(), 9)"))
    ended = scene.supervisor.watch()
    assert ended is not None
    assert (ended.name, ended.how, list(ended.last_lines)) == ("frail", "was killed by SIGKILL", ["farewell"])
    scene.supervisor.stop()
    assert supervised_processes(scene.home) == []


def test_something_run_elsewhere_that_ends_is_told(scene: Scene) -> None:
    scene.supervisor.watch_also("postgres", lambda: False)
    assert str(scene.supervisor.watch()) == "postgres ended"


def test_a_signal_while_starting_breaks_the_start_off(scene: Scene) -> None:
    def asked() -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return False

    with pytest.raises(StopRequested):
        scene.supervisor.start(scene.program("child", WAITS, asked))


def test_a_signal_ends_the_watch(scene: Scene) -> None:
    scene.supervisor.start(scene.program("child", WAITS))
    os.kill(os.getpid(), signal.SIGINT)
    assert scene.supervisor.watch() is None


def test_a_child_that_ignores_the_request_is_killed(scene: Scene) -> None:
    scene.supervisor.start(scene.says("stubborn", STUBBORN, "deaf"))
    scene.supervisor.stop()
    assert supervised_processes(scene.home) == []


def test_what_a_child_started_ends_with_it(scene: Scene, until: Until) -> None:
    scene.supervisor.start(scene.program("parent", WITH_A_CHILD_OF_ITS_OWN))
    until(lambda: len(supervised_processes(scene.home)) == 2)
    scene.supervisor.stop()
    assert supervised_processes(scene.home) == []


def test_sigterm_stops_the_supervisor_and_all(tmp_path: Path, until: Until) -> None:
    with supervising(tmp_path) as supervisor:
        processes = family(tmp_path, until)
        supervisor.terminate()
        assert supervisor.wait(20) == 0
    assert not any(map(is_alive, processes))


def test_a_killed_supervisor_takes_its_children_along_and_the_next_start_finds_the_rest(
    tmp_path: Path, until: Until
) -> None:
    with supervising(tmp_path) as supervisor:
        grandchild = family(tmp_path, until)[-1]
        supervisor.kill()
        supervisor.wait()
        until(lambda: supervised_processes(tmp_path) == [grandchild])
    with supervising(tmp_path, leftovers=1) as again:
        assert not is_alive(grandchild)
        again.terminate()
        again.wait(20)


def test_the_leftovers_of_another_home_are_left_alone(scene: Scene, tmp_path: Path) -> None:
    scene.supervisor.start(scene.program("child", WAITS))
    assert end_supervised(tmp_path / "other") == 0
    assert len(supervised_processes(scene.home)) == 1


def supervising(home: Path, leftovers: int = 0) -> subprocess.Popen[str]:
    """A supervisor as a process of its own, once it is ready."""
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISING, str(home)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == f"leftovers {leftovers}\n"
    assert supervisor.stdout.readline() == "ready\n"
    return supervisor


def family(home: Path, until: Until) -> list[psutil.Process]:
    """Its two children and the grandchild, oldest first."""
    until(lambda: len(supervised_processes(home)) == 3)
    return sorted(supervised_processes(home), key=lambda process: process.create_time())
