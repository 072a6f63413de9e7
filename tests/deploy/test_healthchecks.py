"""The health checks, run as they stand but for the port: unhealthy while nobody answers, then healthy."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from streamweave_cli.readiness import free_port

WHOLE_DAGSTER = {
    "data": {
        "workspaceOrError": {
            "locationEntries": [{"name": "streamweave", "loadStatus": "LOADED", "locationOrLoadError": None}]
        },
        "instance": {"daemonHealth": {"allDaemonStatuses": [{"required": True, "healthy": True}]}},
    }
}
PORTS = {"code-server": "4000", "dagster-webserver": "3000", "api": "8000", "microscope-01": "445"}


class Healthy(BaseHTTPRequestHandler):
    """Answers as a healthy API and a healthy Dagster do, and nothing else."""

    def do_GET(self) -> None:
        self._answer({"status": "ok"}, found=self.path == "/health")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(WHOLE_DAGSTER, found=self.path == "/graphql")

    def _answer(self, body: Any, *, found: bool) -> None:
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """Stay silent."""


@pytest.fixture
def healthy_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", PORTS)
def test_a_service_is_healthy_when_it_answers(name: str, all_services: dict[str, Any], healthy_port: int) -> None:
    kind, program, option, code = all_services[name]["healthcheck"]["test"]
    assert (kind, program, option) == ("CMD", "python", "-c")
    assert code.count(PORTS[name]) == 1

    def exit_code(port: int) -> int:
        command = [sys.executable, option, code.replace(PORTS[name], str(port))]
        return subprocess.run(command, check=False, timeout=60).returncode

    assert exit_code(free_port()) == 1
    assert exit_code(healthy_port) == 0
