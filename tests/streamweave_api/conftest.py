"""The service over a real catalog, beside a Dagster that answers as it is told to over real HTTP."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from litestar import Litestar
from litestar.testing import TestClient

from streamweave.access.tokens import issue_token
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Role, User
from streamweave.settings import Settings
from streamweave_api.app import create_app

SECRET = "a secret of the tests, long enough to sign tokens"

Client = TestClient[Litestar]
Answer = Callable[[dict[str, Any]], dict[str, Any]]


class FakeDagster:
    """A GraphQL server: ``answers`` maps an operation's name to what makes its data from its variables."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_until_asked(self, operation: str, times: int = 1) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: [name for name, _ in self.asked].count(operation) >= times, 30)

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        operation = query.split(maxsplit=2)[1].partition("(")[0]
        with self.changed:
            self.asked.append((operation, variables))
            self.changed.notify_all()
        if operation not in self.answers:
            return {"errors": [{"message": f"{operation} is not expected"}]}
        return {"data": self.answers[operation](variables)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        dagster = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(dagster.answer(asked["query"], asked["variables"])).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def dagster() -> Iterator[FakeDagster]:
    """A Dagster that reloads and launches whatever it is asked to."""
    fake = FakeDagster()
    fake.answers["Reload"] = lambda _: {"reloadRepositoryLocation": {"__typename": "WorkspaceLocationEntry"}}
    fake.answers["Launch"] = lambda _: {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "run-1"}}}
    yield fake
    fake.stop()


@pytest.fixture
def settings(database_url: str, dagster: FakeDagster, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        dagster_url=dagster.url,
        encryption_keys=Fernet.generate_key().decode(),
        secret_key=SECRET,
        storage_roots=str(tmp_path),
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    """The service, asked by nobody in particular."""
    with TestClient(create_app(settings)) as client:
        yield client


def token_for(sessions: Sessions, role: Role) -> dict[str, str]:
    with sessions.begin() as session:
        user = User(email=f"{uuid.uuid4().hex}@test.org", password_hash="none", role=role)
        session.add(user)
        session.flush()
        return {"Authorization": f"Bearer {issue_token(user.id, SECRET, 600)}"}


@pytest.fixture
def admin(sessions: Sessions) -> dict[str, str]:
    """The headers of an admin's request."""
    return token_for(sessions, Role.ADMIN)


@pytest.fixture
def researcher(sessions: Sessions) -> dict[str, str]:
    """The headers of an ordinary user's request."""
    return token_for(sessions, Role.USER)


@pytest.fixture
def api(client: Client, admin: dict[str, str]) -> Client:
    """The service, asked by an admin."""
    client.headers.update(admin)
    return client


@pytest.fixture
def instrument(api: Client) -> dict[str, Any]:
    """An instrument as the service shows it."""
    values = {"name": "Microscope 01", "cifs_host": "microscope-01", "cifs_share": "microscope"}
    created: dict[str, Any] = api.post("/api/instruments", json=values).json()
    return created


@pytest.fixture
def location(api: Client, tmp_path: Path) -> dict[str, Any]:
    """A storage location as the service shows it."""
    values = {"name": "Archive Storage", "base_path": str(tmp_path / "archive")}
    created: dict[str, Any] = api.post("/api/storage-locations", json=values).json()
    return created


@pytest.fixture
def schedule(api: Client, instrument: dict[str, Any], location: dict[str, Any]) -> dict[str, Any]:
    """A schedule as the service shows it."""
    values = {
        "instrument_id": instrument["id"],
        "default_storage_location_id": location["id"],
        "cron_expression": "*/15 * * * *",
    }
    created: dict[str, Any] = api.post("/api/schedules", json=values).json()
    return created
