"""Dagster's webserver behind its guard, asked over real HTTP and WebSockets by everybody who might: our own programs,
admins and others with a browser, pages of other origins, and names that were pointed to loopback.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from streamweave.access.passwords import hash_password
from streamweave.catalog.session import catalog_engine, catalog_sessions
from streamweave.catalog.tables import Role, User
from streamweave.instruments.dagster import harvest_run_config, orchestrator, reload_code_location
from streamweave_api.dagster import Dagster
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.readiness import answers, free_port
from streamweave_dagster.guard import LOGIN

DEADLINE_SECONDS = 300
PASSWORD = "a long password of the tests"
ADMIN, RESEARCHER = "admin@test.org", "researcher@test.org"
TOKEN = "the token of the system's own programs"
LAUNCH = """mutation($config: RunConfigData!) { launchRun(executionParams: {
  selector: {repositoryLocationName: "streamweave", repositoryName: "__repository__", jobName: "harvest"},
  runConfigData: $config}) { __typename } }"""
ATTACK = {"query": LAUNCH, "variables": json.dumps({"config": harvest_run_config("attacked")})}
COUNT = "{ runsOrError { ... on Runs { count } } }"
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
HTML = {"Accept": "text/html,application/xhtml+xml"}
QUEUED_AND_NO_DAEMON = """
telemetry: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator.queued_run_coordinator, class: QueuedRunCoordinator}
"""
WORKSPACE = "load_from: [{python_module: {module_name: streamweave_dagster.definitions, location_name: streamweave}}]\n"


@dataclass(frozen=True)
class Guarded:
    """A guarded webserver and the REST service beside it; ``cookies`` of an admin's and a researcher's login."""

    url: str
    api: str
    cookies: Mapping[str, str]

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def ask(self, method: str, path: str, headers: Mapping[str, str], **options: object) -> httpx.Response:
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **options)  # type: ignore[arg-type]

    def browser(self, email: str = ADMIN, **headers: str) -> dict[str, str]:
        """The headers of a request that Dagster's own pages make."""
        fetched = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
        return {"Cookie": self.cookies[email], "Origin": self.url, **fetched, **headers}

    def runs(self) -> int:
        with orchestrator(self.url, TOKEN) as client:
            found = client.post("/graphql", json={"query": COUNT}, timeout=60).raise_for_status().json()
        return int(found["data"]["runsOrError"]["count"])


@pytest.fixture(scope="module")
def guarded(
    postgres: EmbeddedPostgres, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    name, folder = f"guarded_{uuid.uuid4().hex}", tmp_path_factory.mktemp("dagster")
    admin = catalog_engine(postgres.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template_database}"))
    enter_people(postgres.url(name))
    (folder / "workspace.yaml").write_text(WORKSPACE)
    (folder / "dagster.yaml").write_text(QUEUED_AND_NO_DAEMON)
    api, dagster = free_port(), free_port()
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(folder),
        "STREAMWEAVE_HOME": str(folder / "home"),
        "STREAMWEAVE_DATABASE_URL": postgres.url(name),
        "STREAMWEAVE_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "STREAMWEAVE_SECRET_KEY": "a secret of the tests, long enough to sign tokens",
        "STREAMWEAVE_DAGSTER_URL": f"http://127.0.0.1:{dagster}",
        "STREAMWEAVE_DAGSTER_TOKEN": TOKEN,
        "STREAMWEAVE_API_URL": f"http://127.0.0.1:{api}",
    }
    commands = [
        ["streamweave_api", "--port", str(api)],
        ["streamweave_dagster.webserver", "--port", str(dagster), "-w", str(folder / "workspace.yaml")],
    ]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        for command in commands:
            process = subprocess.Popen([sys.executable, "-m", *command], env=environment, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        wait_until_served(f"http://127.0.0.1:{api}", f"http://127.0.0.1:{dagster}", folder / "log")
        cookies = {email: cookie_of(f"http://127.0.0.1:{api}", email) for email in (ADMIN, RESEARCHER)}
        yield Guarded(f"http://127.0.0.1:{dagster}", f"http://127.0.0.1:{api}", cookies)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def enter_people(url: str) -> None:
    engine = catalog_engine(url)
    with catalog_sessions(engine).begin() as session:
        for email, role in ((ADMIN, Role.ADMIN), (RESEARCHER, Role.USER)):
            session.add(User(email=email, password_hash=hash_password(PASSWORD), role=role))
    engine.dispose()


def wait_until_served(api: str, dagster: str, log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answers(f"{api}/health") and asked_with_the_token(dagster)):
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.1)


def asked_with_the_token(url: str) -> bool:
    try:
        with orchestrator(url, TOKEN) as client:
            return client.get("/server_info", timeout=10).is_success
    except httpx.TransportError:
        return False


def cookie_of(api: str, email: str) -> str:
    answer = httpx.post(f"{api}/auth/cookie/login", data={"username": email, "password": PASSWORD}, timeout=60)
    return f"streamweave_login={answer.raise_for_status().cookies['streamweave_login']}"


def test_the_service_reloads_and_launches_through_the_guard(guarded: Guarded) -> None:
    dagster = Dagster(guarded.url, TOKEN)
    with orchestrator(guarded.url, TOKEN) as client:
        reload_code_location(client)
    assert dagster.run(dagster.launch_harvest("microscope_01")).status == "QUEUED"
    dagster.close()


@pytest.mark.parametrize("token", ["", "another", TOKEN + "x"])
def test_without_the_right_token_a_program_gets_401(guarded: Guarded, token: str) -> None:
    with orchestrator(guarded.url, token) as client:
        answer = client.post("/graphql", json={"query": COUNT}, timeout=60)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Log in as an admin"})
    assert answer.headers["www-authenticate"] == "Bearer"


def test_what_an_admins_page_asks_is_done(guarded: Guarded) -> None:
    """Just what other origins try below: so what is refused there would have worked."""
    before = guarded.runs()
    same_origin = guarded.browser(**{"Content-Type": "text/plain"})
    answer = guarded.ask("POST", "/graphql", same_origin, params=ATTACK, content="x")
    assert answer.json()["data"]["launchRun"]["__typename"] == "LaunchRunSuccess"
    assert guarded.runs() == before + 1


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}),
        ("POST", {"Origin": "http://evil.example", "Content-Type": "text/plain"}),
        ("POST", {"Origin": "null", "Content-Type": "text/plain"}),
        ("POST", {"Origin": "http://127.0.0.1:8888", "Sec-Fetch-Site": "same-site", "Content-Type": "text/plain"}),
        ("POST", {"Sec-Fetch-Site": "same-site", "Content-Type": "text/plain"}),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
        ("GET", {}),
        ("GET", LINK),
        ("GET", {**LINK, "Sec-Fetch-Site": "none"}),
        ("GET", {**LINK, **HTML, "Sec-Fetch-Dest": "iframe"}),
    ],
)
def test_graphql_from_another_origin_is_refused_and_does_nothing(
    guarded: Guarded, method: str, headers: Mapping[str, str]
) -> None:
    """Even with the admin's cookie, which a browser sends to every port of the host."""
    before = guarded.runs()
    answer = guarded.ask(method, "/graphql", {"Cookie": guarded.cookies[ADMIN], **headers}, params=ATTACK)
    assert answer.status_code == 403
    assert guarded.runs() == before


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:80", "localhost", ""])
def test_a_foreign_host_is_refused_whoever_asks(guarded: Guarded, host: str) -> None:
    """DNS rebinding: a page of evil.example, whose owner has that name point to 127.0.0.1, is its own origin."""
    name, before = host.format(port=guarded.host.rpartition(":")[2]), guarded.runs()
    for shown in (guarded.browser(), {"Authorization": f"Bearer {TOKEN}"}):
        headers = {**shown, "Host": name, **({"Origin": f"http://{name}"} if "Cookie" in shown else {})}
        assert guarded.ask("POST", "/graphql", headers, params=ATTACK).status_code == 421
        assert guarded.ask("GET", "/", {**headers, **HTML}).status_code == 421
    assert guarded.runs() == before


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "[::1]"])
def test_every_name_of_loopback_is_ours(guarded: Guarded, name: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": f"{name}:{guarded.host.rpartition(':')[2]}"}
    assert guarded.ask("GET", "/server_info", headers).status_code == 200


def test_an_admin_sees_the_pages_and_they_show_in_no_foreign_frame(guarded: Guarded) -> None:
    answer = guarded.ask("GET", "/runs", {"Cookie": guarded.cookies[ADMIN], **HTML, "Sec-Fetch-Site": "none"})
    assert answer.status_code == 200
    assert "Dagster" in answer.text
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"


def test_a_link_from_the_portal_to_a_page_is_followed_but_none_to_what_is_no_page(guarded: Guarded) -> None:
    headers = {"Cookie": guarded.cookies[ADMIN], **HTML, **LINK}
    assert guarded.ask("GET", "/assets/instruments/a", headers).status_code == 200
    for path in ("/graphql", "/logs/a/b", "/download_debug/x", "/notebook", "/dagit/notebook", "/server_info"):
        assert guarded.ask("GET", path, headers).status_code == 403
    for method in ("POST", "PUT", "DELETE"):
        assert guarded.ask(method, "/assets", headers).status_code == 403


def test_whoever_is_no_admin_gets_403(guarded: Guarded) -> None:
    assert guarded.ask("POST", "/graphql", guarded.browser(RESEARCHER), json={"query": COUNT}).status_code == 403
    page = guarded.ask("GET", "/", {"Cookie": guarded.cookies[RESEARCHER], **HTML})
    assert (page.status_code, "for admins" in page.text) == (403, True)


def test_an_unknown_browser_is_shown_where_to_log_in_and_then_comes_in(guarded: Guarded) -> None:
    with httpx.Client(base_url=guarded.url, headers={**HTML, "Origin": guarded.url}, timeout=60) as browser:
        page = browser.get("/runs")
        assert (page.status_code, f'action="{LOGIN}"' in page.text) == (401, True)
        wrong = browser.post(LOGIN, data={"username": ADMIN, "password": "no password of hers"})
        assert (wrong.status_code, "are no login" in wrong.text) == (400, True)
        right = browser.post(LOGIN, data={"username": ADMIN, "password": PASSWORD})
        assert (right.status_code, right.headers["location"]) == (303, "/")
        cookie = "; ".join(value.partition(";")[0] for value in right.headers.get_list("set-cookie"))
        assert browser.get("/runs", headers={"Cookie": cookie}).status_code == 200


def test_another_page_cannot_log_a_browser_in(guarded: Guarded) -> None:
    answer = guarded.ask(
        "POST", LOGIN, {"Origin": "http://evil.example"}, data={"username": ADMIN, "password": PASSWORD}
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_what_is_no_form_of_a_login_is_refused(guarded: Guarded) -> None:
    assert guarded.ask("POST", LOGIN, {}, content=b"x" * 20_000).status_code == 400
    assert guarded.ask("POST", LOGIN, {}, content=b"").status_code == 400


def opened(guarded: Guarded, **headers: str) -> str:
    """What comes back for the first message over a WebSocket to GraphQL."""
    with connect(
        guarded.url.replace("http", "ws") + "/graphql",
        subprotocols=["graphql-ws"],  # type: ignore[list-item]  # a name is a string
        additional_headers=headers,
        open_timeout=60,
        proxy=None,
    ) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        return str(json.loads(socket.recv(60))["type"])


def test_a_websocket_opens_for_our_own_page_and_for_programs(guarded: Guarded) -> None:
    assert opened(guarded, Cookie=guarded.cookies[ADMIN], Origin=guarded.url) == "connection_ack"
    assert opened(guarded, Authorization=f"Bearer {TOKEN}") == "connection_ack"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:8888", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403),
        ({"Origin": "null"}, 403),
        ({"Cookie": "a=b"}, 401),
    ],
)
def test_a_websocket_of_a_stranger_does_not_open(guarded: Guarded, headers: dict[str, str], status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        opened(guarded, **{"Cookie": guarded.cookies[ADMIN], **headers})
    assert refused.value.response.status_code == status


def test_a_websocket_without_a_login_or_of_no_admin_does_not_open(guarded: Guarded) -> None:
    for headers, status in (({}, 401), ({"Cookie": guarded.cookies[RESEARCHER]}, 403)):
        with pytest.raises(InvalidStatus) as refused:
            opened(guarded, **headers)
        assert refused.value.response.status_code == status


def test_an_admins_api_token_lets_a_program_in_unless_it_is_for_reading(guarded: Guarded) -> None:
    login = httpx.post(f"{guarded.api}/auth/jwt/login", data={"username": ADMIN, "password": PASSWORD}, timeout=60)
    bearer = {"Authorization": f"Bearer {login.json()['access_token']}"}
    for scope, status in (("admin", 200), ("read", 403)):
        made = httpx.post(f"{guarded.api}/api/tokens", headers=bearer, json={"name": scope, "scope": scope})
        shown = {"Authorization": f"Bearer {made.raise_for_status().json()['token']}"}
        assert guarded.ask("POST", "/graphql", shown, json={"query": COUNT}).status_code == status
