"""Downloads from the service as a process of its own: its memory, its open files, and whom slow readers hold up."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from streamweave.settings import Settings

DEADLINE_SECONDS = 60
GIB = 1024**3
LARGE = 2 * GIB  # 10 GiB pass as well, and take half a minute
GROWTH = 64 * 1024**2


@pytest.fixture
def served(settings: Settings, tmp_path: Path, until: Callable[..., None]) -> Iterator[tuple[psutil.Process, str]]:
    """The service, and its address."""
    environment = {
        **os.environ,
        "STREAMWEAVE_DATABASE_URL": settings.database_url or "",
        "STREAMWEAVE_DAGSTER_URL": settings.dagster_url,
        "STREAMWEAVE_ENCRYPTION_KEYS": settings.encryption_keys.get_secret_value(),
        "STREAMWEAVE_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamweave_api", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url))
        yield psutil.Process(process.pid), url
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def large_file(shelf: Any) -> str:
    """The id of a file of 2 GiB, all of it a hole."""
    file_id: str = shelf.put("microscope/large.raw", b"", size_bytes=LARGE)
    os.truncate(shelf.place(file_id), LARGE)
    return file_id


def open_archives(process: psutil.Process) -> list[str]:
    return [opened.path for opened in process.open_files() if "/archive/" in opened.path]


def test_a_large_file_is_downloaded_in_constant_memory(
    served: tuple[psutil.Process, str], large_file: str, admin: dict[str, str]
) -> None:
    process, url = served
    httpx.get(f"{url}/api/files/{large_file}", headers=admin).raise_for_status()
    before, most, received = process.memory_info().rss, 0, 0
    buffer = bytearray(1024**2)
    # the standard library's client: httpx is slower than the service
    with closing(HTTPConnection(url.removeprefix("http://"))) as connection:
        connection.request("GET", f"/api/files/{large_file}/content", headers=admin)
        answer = connection.getresponse()
        assert answer.headers["Content-Length"] == str(LARGE)
        while read := answer.readinto(buffer):
            received += read
            if received % (256 * len(buffer)) < read:
                most = max(most, process.memory_info().rss)
    assert received == LARGE
    assert most - before < GROWTH


def test_a_client_that_goes_away_leaves_nothing_open(
    served: tuple[psutil.Process, str], large_file: str, admin: dict[str, str], until: Callable[..., None]
) -> None:
    process, url = served
    body = {"file_ids": [large_file]}
    for method, path, json in [("GET", f"{large_file}/content", None), ("POST", "archive", body)]:
        with httpx.stream(method, f"{url}/api/files/{path}", headers=admin, json=json) as answer:
            pieces = answer.iter_raw(1024)
            next(pieces)
            assert len(open_archives(process)) == 1
        until(lambda: not open_archives(process))


def test_slow_downloads_keep_no_list_waiting(
    served: tuple[psutil.Process, str], large_file: str, admin: dict[str, str], until: Callable[..., None]
) -> None:
    process, url = served
    with ExitStack() as downloads:
        begun = []
        for _ in range(50):
            stream = httpx.stream("GET", f"{url}/api/files/{large_file}/content", headers=admin)
            begun.append(downloads.enter_context(stream).iter_raw(1))
            next(begun[-1])
        assert len(open_archives(process)) == 50
        for _ in range(20):
            assert len(httpx.get(f"{url}/api/files", headers=admin).json()) == 1
    until(lambda: not open_archives(process))


def test_a_copy_that_ends_too_early_is_no_complete_answer(
    served: tuple[psutil.Process, str], shelf: Any, large_file: str, admin: dict[str, str]
) -> None:
    process, url = served
    os.truncate(shelf.place(large_file), 5_000_000)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/api/files/{large_file}/content", headers=admin)
    assert httpx.get(f"{url}/health").status_code == 200
    assert open_archives(process) == []
