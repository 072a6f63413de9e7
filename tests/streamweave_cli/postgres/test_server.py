"""The embedded PostgreSQL: real servers, killed and taken over."""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from streamweave.errors import StartError
from streamweave_cli.databases import ensure_database
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.processes import is_alive

FORGETFUL_SERVER = """
import os, signal, sys
from pathlib import Path
from streamweave_cli.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The server's folder. Where the cluster lies elsewhere, that is removed when its folder is gone."""
    yield tmp_path / "postgres"
    shutil.rmtree(tmp_path / "postgres", ignore_errors=True)


def run(server: EmbeddedPostgres, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[arg-type]  # a plain string serves tests
        return cursor.fetchall() if cursor.description else []


def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        ensure_database(server.url("catalog"))
        run(server, "CREATE TABLE seen AS SELECT 42 AS answer", "catalog")
    with EmbeddedPostgres(folder, durable=False) as server:
        assert run(server, "SELECT answer FROM seen", "catalog") == [(42,)]


def test_a_database_with_an_odd_name_is_made_once(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        ensure_database(server.url('odd"name"'))
        ensure_database(server.url('odd"name"'))
        assert run(server, "SELECT count(*) FROM pg_database WHERE datname = 'odd\"name\"'") == [(1,)]


def test_the_server_runs_durable_and_never_as_root(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        assert run(server, "SHOW fsync") == [("on",)]
        assert server.pid is not None
        assert psutil.Process(server.pid).uids().real != 0


def test_a_server_for_tests_may_forget_for_speed(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        assert run(server, "SHOW fsync") == [("off",)]


def test_nobody_gets_in_without_the_password(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
        wrong = f"postgresql://streamweave:wrong@127.0.0.1:{server.port}/postgres"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


def test_a_folder_in_use_is_refused(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False), pytest.raises(StartError, match="another process runs"):
        EmbeddedPostgres(folder, durable=False).start()


def test_a_taken_port_is_told(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rival:
        server = EmbeddedPostgres(folder, port=rival.getsockname()[1], durable=False)
        with pytest.raises(StartError, match="does not start"):
            server.start()
    assert server.pid is None


def test_a_server_that_was_killed_recovers(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    ensure_database(server.url("catalog"))
    run(server, "CREATE TABLE seen AS SELECT 42 AS answer", "catalog")
    assert server.pid is not None
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # children end by themselves once the first is gone
            process.kill()
    server.stop()
    with EmbeddedPostgres(folder) as again:
        assert run(again, "SELECT answer FROM seen", "catalog") == [(42,)]


def test_a_stale_pid_file_that_names_another_program_is_no_obstacle(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        data = Path(str(run(server, "SHOW data_directory")[0][0]))
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n0\n")
    with EmbeddedPostgres(folder, durable=False) as again:
        assert run(again, "SELECT 1") == [(1,)]


def test_the_server_ends_when_its_parent_is_killed(folder: Path, until: Callable[..., None]) -> None:
    with started(folder) as parent:
        server = psutil.Process(int(parent.stdout.readline()))  # type: ignore[union-attr]  # it is a pipe
        parent.kill()
        until(lambda: not is_alive(server))
    assert not is_alive(server)


def test_a_server_left_running_is_taken_over(folder: Path, until: Callable[..., None]) -> None:
    with started(folder) as parent:
        server = psutil.Process(int(parent.stdout.readline()))  # type: ignore[union-attr]  # it is a pipe
        server.suspend()  # it can't follow its parent's death
        parent.kill()
        parent.wait()
        until(lambda: server.ppid() != parent.pid)
        server.resume()
        with EmbeddedPostgres(folder, durable=False) as again:
            assert again.pid != server.pid
            assert run(again, "SELECT 1") == [(1,)]
        assert not is_alive(server)


def test_an_interrupted_initialisation_starts_over(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        data = Path(str(run(server, "SHOW data_directory")[0][0]))
    data.rename(data.with_name("cluster.new"))
    with EmbeddedPostgres(folder, durable=False) as again:
        assert run(again, "SELECT 1") == [(1,)]


def test_a_password_that_does_not_fit_is_told(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False):
        pass
    (folder / "password").write_text("another")
    with pytest.raises(StartError, match="refuses the password"):
        EmbeddedPostgres(folder, durable=False).start()


def test_a_missing_password_file_is_told(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False):
        pass
    (folder / "password").unlink()
    with pytest.raises(StartError, match=r"password file .* is missing"):
        EmbeddedPostgres(folder, durable=False).start()


def started(folder: Path) -> subprocess.Popen[str]:
    """A process that runs a server and prints the server's process id."""
    return subprocess.Popen([sys.executable, "-c", FORGETFUL_SERVER, str(folder)], stdout=subprocess.PIPE, text=True)
