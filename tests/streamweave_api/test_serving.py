import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from streamweave.settings import Settings

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


@pytest.fixture
def served(environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service as a process of its own, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamweave_api", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


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
