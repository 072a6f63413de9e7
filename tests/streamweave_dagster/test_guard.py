"""The guard's own rules: on any headers, on logins that end, on a service that is away."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.settings import Settings
from streamweave_dagster.guard import (
    ADMITTED_AT_ONCE,
    ADMITTED_SECONDS,
    AdminLogin,
    Guard,
    GuardSettings,
    Message,
    Receive,
    Scope,
    Send,
    hosts_of,
    stranger,
)
from streamweave_dagster.webserver import guard_settings

HOSTS = hosts_of(3000, "dagster.example.org:8443")
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"])
SITES = st.sampled_from(["same-origin", "none", "same-site", "cross-site", "anything"])
HOST = st.sampled_from(
    [*sorted(HOSTS), "evil.example", "127.0.0.1", "127.0.0.1:3001", "localhost:3000.evil.example", ""]
)
PATHS = st.sampled_from(["/", "/runs", "/graphql", "/graphql/x", "/logs/a", "/download_debug/x"])
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "host": HOST,
        "origin": st.one_of(st.just("null"), HOST.map("http://{}".format), HOST.map("https://{}".format), st.just("x")),
        "sec-fetch-site": SITES,
        "sec-fetch-mode": st.sampled_from(["navigate", "cors", "no-cors", "websocket"]),
        "sec-fetch-dest": st.sampled_from(["document", "iframe", "image", "empty"]),
        "authorization": st.just("Bearer x"),
    },
)


@given(METHODS, PATHS, st.sampled_from(["", "query={version}"]), HEADERS, st.booleans())
def test_nobody_comes_in_from_elsewhere(
    method: str, path: str, query: str, headers: dict[str, str], is_page: bool
) -> None:
    if stranger(method, path, query, headers, HOSTS, is_page=is_page) is not None:
        return
    host = headers["host"].lower()
    assert host in HOSTS
    assert headers.get("origin", f"http://{host}") in (f"http://{host}", f"https://{host}")
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        assert is_page
        assert (method in ("GET", "HEAD"), path in ("/", "/runs")) == (True, True)
        assert (headers["sec-fetch-mode"], headers["sec-fetch-dest"]) == ("navigate", "document")
    if is_page and method == "GET" and path.startswith("/graphql") and query:
        assert "authorization" in headers


def test_the_hosts_are_those_of_loopback_with_the_port_and_those_that_are_named() -> None:
    assert hosts_of(3000, "") == {"127.0.0.1:3000", "localhost:3000", "[::1]:3000"}
    assert hosts_of(80, " A.example.org ,") == {
        *("127.0.0.1", "localhost", "[::1]", "127.0.0.1:80", "localhost:80", "[::1]:80", "a.example.org")
    }


def test_what_the_environment_says_is_what_the_guard_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"TOKEN": "t", "LOGIN": "false", "HOSTS": "d.example.org"}
    for name, value in names.items():
        monkeypatch.setenv(f"STREAMWEAVE_DAGSTER_{name}", value)
    monkeypatch.setenv("STREAMWEAVE_API_URL", "http://api:8000")
    settings = guard_settings(Settings(), 3000)
    assert (settings.token, settings.asks_login, settings.api_url) == ("t", False, "http://api:8000")
    assert "d.example.org" in settings.hosts


class Service:
    """The REST service's answers to whether a login is an admin's, and a clock."""

    def __init__(self, status: int = 204) -> None:
        self.status = status
        self.asked: list[httpx.Headers] = []
        self.time = 0.0

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers)
        if self.status == 0:
            raise httpx.ConnectError("nobody listens")
        return httpx.Response(self.status)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(self.answer))


def refused(service: Service, *shown: dict[str, str], wait: float = 0.0) -> list[int | None]:
    """The status that each of some requests in a row is refused with, or None."""

    async def ask() -> list[int | None]:
        login, found = AdminLogin(service.client(), lambda: service.time), []
        for headers in shown:
            refusal = await login.refusal(headers)
            found.append(refusal and refusal.status)
            service.time += wait
        return found

    return asyncio.run(ask())


@pytest.mark.parametrize(("answer", "status"), [(204, None), (401, 401), (403, 403), (500, 503), (0, 503)])
def test_the_service_decides_and_one_that_is_away_lets_nobody_in(answer: int, status: int | None) -> None:
    assert refused(Service(answer), {"cookie": "c"}) == [status]


def test_who_shows_nothing_is_refused_without_asking() -> None:
    service = Service()
    assert refused(service, {"accept": "*/*"}) == [401]
    assert service.asked == []


def test_a_yes_holds_for_a_short_time_and_for_that_login_alone() -> None:
    service = Service()
    assert refused(service, {"cookie": "a"}, {"cookie": "a"}, {"cookie": "b"}, {"authorization": "a"}) == [None] * 4
    assert len(service.asked) == 3
    assert refused(service, {"cookie": "a"}, {"cookie": "a"}, wait=ADMITTED_SECONDS) == [None] * 2
    assert len(service.asked) == 5


def test_a_no_is_asked_for_again_each_time() -> None:
    service = Service(401)
    assert refused(service, {"cookie": "a"}, {"cookie": "a"}) == [401, 401]
    assert len(service.asked) == 2


def test_the_service_is_shown_the_login_and_nothing_else_of_a_request() -> None:
    service = Service()
    refused(service, {"cookie": "c", "x-forwarded-for": "1.2.3.4", "x-other": "1"})
    assert "x-forwarded-for" not in service.asked[0]
    assert (service.asked[0]["cookie"], "x-other" in service.asked[0]) == ("c", False)


def test_so_many_logins_are_remembered_and_no_more() -> None:
    service = Service()

    async def fill() -> int:
        login = AdminLogin(service.client(), lambda: service.time)
        for number in range(ADMITTED_AT_ONCE + 5):
            await login.refusal({"cookie": str(number)})
        return len(login._admitted)

    assert asyncio.run(fill()) == ADMITTED_AT_ONCE


def guard_of(service: Service, app: Callable[[Scope, Receive, Send], object], *, token: str = "t") -> Guard:
    guard = Guard(app, GuardSettings(HOSTS, token, "http://api", "http://api"))  # type: ignore[arg-type]
    guard.client = service.client()
    guard.login = AdminLogin(guard.client, lambda: service.time)
    return guard


SOCKET: Scope = {
    "type": "websocket",
    "path": "/graphql",
    "query_string": b"",
    "headers": [(b"host", b"127.0.0.1:3000"), (b"cookie", b"c"), (b"x-kept", b"1")],
}


def test_a_websocket_ends_with_its_login() -> None:
    """Neither does the application read on, nor does the client hear more."""
    service, sent, read = Service(), [], []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "1"})
        service.status, service.time = 401, ADMITTED_SECONDS
        read.append((await receive())["type"])
        await send({"type": "websocket.send", "text": "2"})

    async def receive() -> Message:
        return {"type": "websocket.receive", "text": "x"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    asyncio.run(guard_of(service, app)(SOCKET, receive, send))
    assert sent == ["websocket.accept", "websocket.send", "websocket.close"]
    assert read == ["websocket.disconnect"]


def test_dagster_learns_nothing_of_logins() -> None:
    seen: list[list[tuple[bytes, bytes]]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["headers"])

    async def receive() -> Message:
        return {"type": "websocket.receive"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    asyncio.run(guard_of(Service(), app)(SOCKET, receive, send))
    assert seen == [[(b"host", b"127.0.0.1:3000"), (b"x-kept", b"1")]]


def status_of(method: str, headers: list[tuple[bytes, bytes]], service: Any, **options: Any) -> int:
    """The status that the guard refuses a request with."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("it was let through")

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {**SOCKET, "type": "http", "method": method, "headers": headers}
    asyncio.run(guard_of(service, app, **options)(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize("hosts", [0, 2])
def test_a_request_has_one_host(hosts: int) -> None:
    assert status_of("GET", [(b"host", b"127.0.0.1:3000")] * hosts, Service()) == 400


def test_an_empty_token_lets_nobody_in() -> None:
    """As it would be where none is set: then `Authorization: Bearer` with nothing behind it is no token."""
    headers = [(b"host", b"127.0.0.1:3000"), (b"authorization", b"Bearer ")]
    assert status_of("POST", headers, Service(401), token="") == 401
