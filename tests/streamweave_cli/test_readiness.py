"""Does it answer? Asked of what does, of what does not, and of what never will."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamweave.errors import StartError
from streamweave_cli.readiness import answers, dagster_is_whole, free_port, is_complete_json, listens


def test_a_port_listens_or_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert listens(server.getsockname()[1])
    assert not listens(free_port())


def test_nobody_answers_where_nobody_listens() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert not answers(f"{nowhere}/health")
    assert not dagster_is_whole(nowhere)


def test_half_a_file_is_not_complete(tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    assert not is_complete_json(file)
    file.write_text('{"instruments": [')
    assert not is_complete_json(file)
    file.write_text('{"instruments": []}')
    assert is_complete_json(file)


def test_a_code_location_that_cannot_be_loaded_is_told(tmp_path: Path, until: Callable[..., None]) -> None:
    (tmp_path / "workspace.yaml").write_text(
        "load_from: [{python_module: {module_name: not_there, location_name: x}}]\n"
    )
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    port = free_port()
    webserver = subprocess.Popen(
        [sys.executable, "-m", "dagster_webserver", "-p", str(port), "-w", str(tmp_path / "workspace.yaml")],
        env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with webserver:
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/server_info"))
            with pytest.raises(StartError, match=r"can't load the code location x: .*not_there"):
                until(lambda: dagster_is_whole(f"http://127.0.0.1:{port}"))
        finally:
            webserver.terminate()
