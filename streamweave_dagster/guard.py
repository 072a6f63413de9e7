"""The guard in front of Dagster's webserver, which has no login and answers whatever page asks it.

Any page that a browser shows can send requests to loopback: GraphQL in an address, a form, a WebSocket; and a name that
its owner points to 127.0.0.1 makes such a page Dagster's own origin (DNS rebinding). So each request and each WebSocket
is asked three things before Dagster sees it:

- *Host*: is it one of our names? That ends DNS rebinding.
- *Origin* and *Sec-Fetch-Site* (W3C Fetch Metadata), which pages can't forge: was it sent by a page of ours, or by
  somebody who is no page? From elsewhere only a link to one of Dagster's pages may be followed.
- *login*: our own programs show a token. Of all others the REST service is asked whether their login, as bearer or as
  cookie, is an admin's (``GET /auth/check-admin``).
"""

import hashlib
import hmac
import html
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Mapping[str, str]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
HTTP_PORT = 80
OWN_SITE = ("same-origin", "none")  # none: typed, or a bookmark
SAFE_METHODS = ("GET", "HEAD")
# the paths of Dagster's webserver (1.13) that are no pages; all others give the same page, which reads its address
NO_PAGES = ("/graphql", "/logs", "/notebook", "/dagit", "/download_debug", "/report_asset", "/server_info")
GRAPHQL = "/graphql"
LOGIN = "/auth/cookie/login"
FORM = {"content-type": "application/x-www-form-urlencoded"}
LARGEST_FORM_BYTES = 10_000
ADMITTED_SECONDS = 15.0
ADMITTED_AT_ONCE = 1_000
ANSWER_SECONDS = 10.0
CREDENTIALS = (b"authorization", b"cookie")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let through: a status of HTTP, and a sentence."""

    status: int
    sentence: str


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """What the guard goes by.

    ``hosts`` are the names that the webserver has, as a Host header gives them; ``token`` is what our own programs show
    (empty: none is accepted); ``api_url`` is where the REST service is asked about logins, unless ``asks_login`` is
    False; ``public_url`` is where people reach it.
    """

    hosts: frozenset[str]
    token: str
    api_url: str
    public_url: str
    asks_login: bool = True


def hosts_of(port: int, names: str) -> frozenset[str]:
    """The names of loopback with the port, and further ones, comma-separated, as a browser sends them."""
    suffixes = [f":{port}"] + ([""] if port == HTTP_PORT else [])
    loopback = {name + suffix for name in LOOPBACK_NAMES for suffix in suffixes}
    return frozenset(loopback | {name.strip().lower() for name in names.split(",") if name.strip()})


def stranger(
    method: str, path: str, query: str, headers: Headers, hosts: Iterable[str], *, is_page: bool = True
) -> Refusal | None:
    """Why a request must be that of a page that is not ours, or None. ``is_page`` is False for a WebSocket.

    Names of ``headers`` are in lower case. A browser says where a request comes from in ``Sec-Fetch-Site``, and in
    ``Origin`` for whatever is not a plain GET; programs send neither.
    """
    host = headers.get("host", "").lower()
    if host not in hosts:
        return Refusal(421, f"Dagster's webserver is not called {host!r}: STREAMWEAVE_DAGSTER_HOSTS names what it is")
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
        return Refusal(403, "A page of another origin must not ask Dagster")
    if site is not None and site not in OWN_SITE and not (is_page and _follows_a_link(method, path, headers)):
        return Refusal(403, "A page of another site must not ask Dagster")
    if is_page and method in SAFE_METHODS and path.startswith(GRAPHQL) and not _may_get_graphql(query, headers):
        return Refusal(403, "GraphQL is asked by POST, or with an Authorization header")
    return None


def _follows_a_link(method: str, path: str, headers: Headers) -> bool:
    """Whether a person comes from another site to a page of Dagster's, in a tab of its own. That does nothing."""
    return (
        method in SAFE_METHODS
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and not path.startswith(NO_PAGES)
    )


def _may_get_graphql(query: str, headers: Headers) -> bool:
    """GraphQL in an address could be anybody's link or image. Without a query it is only the page to write one in."""
    if "authorization" in headers:
        return True
    return not query and headers.get("sec-fetch-site") in OWN_SITE


class AdminLogin:
    """Asks the REST service whether a request's login is an admin's; a yes holds for a few seconds, a no never."""

    def __init__(self, client: httpx.AsyncClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._admitted: dict[bytes, float] = {}

    async def refusal(self, headers: Headers) -> Refusal | None:
        """Why these headers let nobody in, or None."""
        shown = {name: headers[name] for name in ("authorization", "cookie") if name in headers}
        if not shown:
            return Refusal(401, "Log in as an admin")
        key = hashlib.sha256("\0".join(f"{name}\0{value}" for name, value in shown.items()).encode()).digest()
        if self._admitted.get(key, 0) > self._now():
            return None
        self._admitted.pop(key, None)
        try:
            answer = await self._client.get("/auth/check-admin", headers=shown)
        except httpx.HTTPError:
            return Refusal(503, "The REST service, which knows the logins, does not answer")
        if not answer.is_success:
            return _refused_by_service(answer.status_code)
        self._admit(key)
        return None

    def _admit(self, key: bytes) -> None:
        if len(self._admitted) >= ADMITTED_AT_ONCE:
            self._admitted.pop(next(iter(self._admitted)))  # the oldest
        self._admitted[key] = self._now() + ADMITTED_SECONDS


def _refused_by_service(status: int) -> Refusal:
    if status == 401:
        return Refusal(401, "Log in as an admin")
    if status == 403:
        return Refusal(403, "Dagster's pages are for admins")
    return Refusal(503, f"The REST service, which knows the logins, answers with status {status}")


def _not_logged_in(status: int) -> str:
    return "Too many attempts: wait a while" if status == 429 else "This e-mail address and password are no login"


@dataclass(eq=False, slots=True)
class Guard:
    """An ASGI application that lets through to ``app`` what passes the guard's questions."""

    app: App
    settings: GuardSettings
    client: httpx.AsyncClient = field(init=False)
    login: AdminLogin = field(init=False)

    def __post_init__(self) -> None:
        # the service stands beside us: a proxy that the environment names is not the way to it
        self.client = httpx.AsyncClient(base_url=self.settings.api_url, timeout=ANSWER_SECONDS, trust_env=False)
        self.login = AdminLogin(self.client)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or WebSocket, or hand it on."""
        if scope["type"] == "lifespan":
            async with self.client:
                await self.app(scope, receive, send)
            return
        headers = _headers_of(scope)
        refusal = self._stranger(scope, headers)
        if refusal is None and self._logs_in(scope):
            await self._log_in(scope, receive, send)
            return
        refusal = refusal or await self._no_admin(headers)
        if refusal is not None:
            await _answer(scope, send, refusal.status, *self._told(refusal, headers))
        elif scope["type"] == "websocket":
            await self.app(_without_credentials(scope), *self._while_admitted(headers, receive, send))
        else:
            await self.app(_without_credentials(scope), receive, _unframed(send))

    def _stranger(self, scope: Scope, headers: Headers) -> Refusal | None:
        if [name for name, _ in scope["headers"]].count(b"host") != 1:
            return Refusal(400, "A request must have one Host header")
        is_page, method = scope["type"] == "http", scope.get("method", "GET")
        query = scope.get("query_string", b"").decode("latin-1")
        return stranger(method, scope["path"], query, headers, self.settings.hosts, is_page=is_page)

    async def _no_admin(self, headers: Headers) -> Refusal | None:
        if not self.settings.asks_login or _shows(headers, self.settings.token):
            return None
        return await self.login.refusal(headers)

    def _while_admitted(self, headers: Headers, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """``receive`` and ``send`` of a WebSocket, which ends with the login: it may stay open for days."""
        ended = False

        async def admitted() -> bool:
            nonlocal ended
            if not ended and await self._no_admin(headers) is not None:
                ended = True
                await send({"type": "websocket.close", "code": 1008, "reason": "the login has ended"})
            return not ended

        async def receive_if_admitted() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive" or await admitted():
                return message
            return {"type": "websocket.disconnect", "code": 1008}

        async def send_if_admitted(message: Message) -> None:
            if not ended and (message["type"] != "websocket.send" or await admitted()):
                await send(message)

        return receive_if_admitted, send_if_admitted

    def _logs_in(self, scope: Scope) -> bool:
        is_form = scope["type"] == "http" and scope["path"] == LOGIN and scope["method"] == "POST"
        return is_form and self.settings.asks_login

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the form of our page on to the REST service, and its cookies back, so that they are this host's."""
        form = await _body(receive)
        if form is None or "password" not in parse_qs(form.decode("latin-1")):
            await _answer(scope, send, 400, *_json("This form has a username and a password"))
            return
        try:
            answer = await self.client.post(LOGIN, content=form, headers=FORM)
        except httpx.HTTPError:
            await _answer(scope, send, 503, *_json("The REST service, which knows the logins, does not answer"))
            return
        if not answer.is_success:
            await _answer(scope, send, answer.status_code, *self._login_page(_not_logged_in(answer.status_code)))
            return
        cookies = [(b"set-cookie", value.encode("latin-1")) for value in answer.headers.get_list("set-cookie")]
        await _answer(scope, send, 303, b"", [(b"location", b"/"), *cookies])

    def _told(self, refusal: Refusal, headers: Headers) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        if "text/html" not in headers.get("accept", ""):
            return _json(refusal.sentence)
        return self._login_page(refusal.sentence) if refusal.status == 401 else _page(html.escape(refusal.sentence))

    def _login_page(self, sentence: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        return _page(
            f'<form method="post" action="{LOGIN}"><p>{html.escape(sentence)}. The login is that of '
            f"{html.escape(self.settings.public_url)}: if you log in there, load this page again afterwards."
            '<p><input name="username" type="email" placeholder="e-mail address" required autofocus> '
            '<input name="password" type="password" placeholder="password" required> <button>Log in</button></form>'
        )


def _shows(headers: Headers, token: str) -> bool:
    """Whether the request shows the token of our own programs; compared in a time that tells nothing of it."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    is_token = hmac.compare_digest(shown.strip().encode(), token.encode())
    return bool(token) and scheme.lower() == "bearer" and is_token


def _headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _without_credentials(scope: Scope) -> Scope:
    """Logins are no business of Dagster's."""
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name not in CREDENTIALS]}


def _unframed(send: Send) -> Send:
    """``send`` of an answer that no page of another origin may show in a frame, to have people click in it."""

    async def send_unframed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), (b"x-frame-options", b"SAMEORIGIN")]}
        await send(message)

    return send_unframed


async def _body(receive: Receive) -> bytes | None:
    """The body of a request, or None when it is larger than a form of ours, or breaks off."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or len(body) > LARGEST_FORM_BYTES:
            return None
        more = message.get("more_body", False)
    return body


def _json(sentence: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    return json.dumps({"detail": sentence}).encode(), [(b"content-type", b"application/json")]


def _page(body: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>StreamWeave: Dagster</title><h1>Dagster</h1>{body}"
    policy = b"default-src 'none'; form-action 'self'; frame-ancestors 'none'"
    return text.encode(), [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy)]


async def _answer(scope: Scope, send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Answer a request, or a WebSocket's before it is opened."""
    headers = [*headers, (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    kind = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        kind = "websocket.http.response"
    length = str(len(body)).encode()
    await send({"type": f"{kind}.start", "status": status, "headers": [*headers, (b"content-length", length)]})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})
