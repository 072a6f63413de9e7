import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from streamweave.settings import Settings
from streamweave_api.service import PLACES, WAITING

DEADLINE_SECONDS = 60


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """What the service needs to start."""
    return {
        **os.environ,
        "STREAMWEAVE_DATABASE_URL": settings.database_url or "",
        "STREAMWEAVE_DAGSTER_URL": settings.dagster_url,
        "STREAMWEAVE_ENCRYPTION_KEYS": settings.encryption_keys.get_secret_value(),
        "STREAMWEAVE_SECRET_KEY": settings.secret_key.get_secret_value(),
    }


@contextmanager
def serving(environment: dict[str, str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service as a process of its own, and its address. Its log is in ``folder``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamweave_api", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def served(environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service with nothing but what it needs."""
    with serving(environment, tmp_path) as service:
        yield service


def wait_until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            if httpx.get(f"{url}/health").json() == {"status": "ok"}:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the service did not answer")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_service_serves_until_it_is_told_to_stop(
    served: tuple[subprocess.Popen[bytes], str], stop: signal.Signals, tmp_path: Path
) -> None:
    process, url = served
    wait_until_healthy(process, url)
    person = {"email": "researcher@test.org", "password": "testpassword123"}
    with httpx.Client(base_url=url) as client:
        assert client.post("/auth/register", json=person).status_code == 201
        login = {"username": person["email"], "password": person["password"]}
        token = client.post("/auth/jwt/login", data=login).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert client.get("/users/me", headers=headers).json()["email"] == person["email"]
        assert client.get("/api/files", headers=headers).json() == []
        assert client.get("/api/hooks", headers=headers).status_code == 403
    process.send_signal(stop)
    assert process.wait(DEADLINE_SECONDS) in (0, -stop)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("STREAMWEAVE_DATABASE_URL", None, "STREAMWEAVE_DATABASE_URL"),
        ("STREAMWEAVE_DATABASE_URL", "sqlite://me:s3cret@x", "STREAMWEAVE_DATABASE_URL"),
        ("STREAMWEAVE_SECRET_KEY", "short", "STREAMWEAVE_SECRET_KEY"),
        ("STREAMWEAVE_ENCRYPTION_KEYS", "", "STREAMWEAVE_ENCRYPTION_KEYS"),
    ],
)
def test_what_is_missing_is_said_and_ends_with_2(
    environment: dict[str, str], variable: str, value: str | None, sentence: str
) -> None:
    changed = {name: text for name, text in {**environment, variable: value}.items() if text is not None}
    command = [sys.executable, "-m", "streamweave_api"]
    ended = subprocess.run(command, env=changed, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stderr


@pytest.mark.parametrize(("trusted", "third"), [("", 429), ("127.0.0.0/8", 201), ("192.0.2.0/24", 429)])
def test_where_a_request_comes_from_is_believed_of_trusted_proxies_alone(
    environment: dict[str, str], tmp_path: Path, trusted: str, third: int
) -> None:
    settings = {
        "FORWARDED_ALLOW_IPS": "*",
        "STREAMWEAVE_TRUSTED_PROXIES": trusted,
        "STREAMWEAVE_LOGIN_ATTEMPTS_PER_ADDRESS": "2",
    }
    with serving({**environment, **settings}, tmp_path) as (process, url):
        wait_until_healthy(process, url)
        statuses = []
        for number in range(3):
            person = {"email": f"person{number}@test.org", "password": "testpassword123"}
            headers = {"X-Forwarded-For": f"198.51.100.{number}"}
            statuses.append(
                httpx.post(f"{url}/auth/register", json=person, headers=headers, timeout=DEADLINE_SECONDS).status_code
            )
    assert statuses == [201, 201, third]


def test_its_log_holds_no_raw_control_characters(environment: dict[str, str], tmp_path: Path) -> None:
    with serving(environment, tmp_path) as (process, url):
        wait_until_healthy(process, url)
        httpx.get(f"{url}/%1b%5b31m%0dnothing%e2%80%ae")
    log = (tmp_path / "log").read_text()
    assert "INFO uvicorn.access: " in log
    assert all(line.isprintable() for line in log.splitlines())


def test_health_and_reading_go_on_while_60_resets_wait(
    environment: dict[str, str], tmp_path: Path, engine: Engine, until: Callable[..., None]
) -> None:
    with serving(environment, tmp_path) as (process, url), ThreadPoolExecutor(60) as threads:
        wait_until_healthy(process, url)
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE login_counts IN ACCESS EXCLUSIVE MODE"))
            body = {"token": "forged", "password": "another password"}
            limits = httpx.Limits(max_connections=60)
            with httpx.Client(base_url=url, limits=limits, timeout=DEADLINE_SECONDS) as client:
                waiting = [threads.submit(client.post, "/auth/reset-password", json=body) for _ in range(60)]
                until(lambda: sessions_waiting(engine) >= PLACES)
                until(lambda: sum(not each.done() for each in waiting) == PLACES + WAITING)
                assert httpx.get(f"{url}/health", timeout=DEADLINE_SECONDS).json() == {"status": "ok"}
                assert httpx.get(f"{url}/ark:/99999/fk4nothing", timeout=DEADLINE_SECONDS).status_code == 404
                connection.rollback()
                statuses = Counter(each.result(DEADLINE_SECONDS).status_code for each in waiting)
                assert statuses == {400: PLACES + WAITING, 503: 60 - PLACES - WAITING}


def sessions_waiting(engine: Engine) -> int:
    """How many sessions wait for the table."""
    asked = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'login_counts'::regclass")
    with engine.connect() as connection:
        return int(connection.scalar(asked))
