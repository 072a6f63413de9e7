import itertools
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from streamweave.errors import (
    WebhookError,
    WebhookForbidden,
    WebhookRefused,
    WebhookTimedOut,
    WebhookUnavailable,
)
from streamweave.webhooks import Delivery, EgressPolicy, check_url, deliver, is_genuine, trusted

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = EgressPolicy.listed("127.0.0.1")
BODY = json.dumps({"what": "a file"}).encode()


def post(url: str, *, policy: EgressPolicy = LOOPBACK, seconds: float = 20, **options: Any) -> Delivery:
    return deliver(url, BODY, secret=SECRET, policy=policy, timeout_seconds=seconds, **options)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Every name below ``.example`` resolves to the first of the answers, the second time to the second, and so on.

    The list holds the names that were asked for.
    """
    asked: list[str] = []
    turns = itertools.chain(answers, itertools.repeat(answers[-1]))
    real = socket.getaddrinfo

    def answer(host: str, *question: Any, **kind: Any) -> list[tuple[Any, ...]]:
        if not host.endswith(".example"):
            return real(host, *question, **kind)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in next(turns)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


@contextmanager
def listening(behave: Callable[[socket.socket, Event], None]) -> Iterator[str]:
    """A server of raw bytes: its address. ``behave`` is given the connection, and an event that tells it to end."""
    ended = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    behave(connection, ended)
                except OSError:
                    return

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            ended.set()
            thread.join()


def test_a_message_arrives_signed(webhook_receiver: Any) -> None:
    webhook_receiver.answer = lambda request: (201, {}, b'{"taken": true}')
    delivery = post(webhook_receiver.url())
    [request] = webhook_receiver.received
    assert (delivery.status, delivery.body) == (201, b'{"taken": true}')
    assert request.body == BODY
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == delivery.message_id
    assert is_genuine(SECRET, request.headers, request.body)


def test_every_message_has_an_id_of_its_own_unless_it_is_a_further_attempt(webhook_receiver: Any) -> None:
    post(webhook_receiver.url())
    post(webhook_receiver.url(), message_id="msg_1")
    post(webhook_receiver.url(), message_id="msg_1")
    first, *further = [request.headers["webhook-id"] for request in webhook_receiver.received]
    assert further == ["msg_1", "msg_1"]
    assert first != "msg_1"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, WebhookUnavailable) for status in (408, 425, 429, 500, 502, 503, 504)),
        *((status, WebhookRefused) for status in (400, 401, 404, 410, 501)),
    ],
)
def test_the_status_tells_whether_another_attempt_is_worth_it(
    webhook_receiver: Any, status: int, error: type[WebhookError]
) -> None:
    webhook_receiver.answer = lambda request: (status, {}, b"secret of the inside")
    with pytest.raises(error, match=f"the answer's status is {status}") as raised:
        post(webhook_receiver.url())
    assert "inside" not in str(raised.value)


def test_a_redirect_is_refused_and_not_followed(webhook_receiver: Any) -> None:
    webhook_receiver.answer = lambda request: (307, {"location": webhook_receiver.url()}, b"")
    with pytest.raises(WebhookRefused, match="follows no redirect"):
        post(webhook_receiver.url())
    assert len(webhook_receiver.received) == 1


def test_an_answer_that_is_too_large_is_refused(webhook_receiver: Any) -> None:
    webhook_receiver.answer = lambda request: (200, {}, b"x" * 2000)
    assert post(webhook_receiver.url(), largest_answer=2000).body == b"x" * 2000
    with pytest.raises(WebhookRefused, match="larger than 1999 bytes"):
        post(webhook_receiver.url(), largest_answer=1999)


def test_an_answer_without_an_end_is_refused() -> None:
    def pour(connection: socket.socket, ended: Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not ended.is_set():
            connection.sendall(b"x" * 65_536)

    with listening(pour) as url, pytest.raises(WebhookRefused, match="larger"):
        post(url)


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nx-drip: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_that_drips_is_left_at_the_deadline(beginning: bytes) -> None:
    """Each byte arrives well within the deadline; without a total one this would never end."""

    def drip(connection: socket.socket, ended: Event) -> None:
        connection.sendall(beginning)
        while not ended.wait(0.05):
            connection.sendall(b"x")

    with listening(drip) as url, pytest.raises(WebhookTimedOut, match=r"within 0\.5 seconds"):
        post(url, seconds=0.5)


def test_a_server_that_reads_nothing_is_left_at_the_deadline() -> None:
    body = bytes(50_000_000)
    with listening(lambda connection, ended: ended.wait() and None) as url, pytest.raises(WebhookTimedOut):
        deliver(url, body, secret=SECRET, policy=LOOPBACK, timeout_seconds=0.5)


@pytest.mark.parametrize("told", [b"220 mail.example ESMTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nmail.example\r\n\r\n"])
def test_a_server_that_talks_nonsense_is_unavailable_and_not_quoted(told: bytes) -> None:
    """What else listens in a network is no business of whoever may enter an address."""

    def tell(connection: socket.socket, ended: Event) -> None:
        connection.sendall(told)
        ended.wait()

    with (
        listening(tell) as url,
        pytest.raises(WebhookUnavailable, match="no HTTP") as failure,
    ):
        post(url)
    assert "mail.example" not in str(failure.value)


def test_a_closed_port_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(WebhookUnavailable, match="no answer from"):
        post(f"http://127.0.0.1:{port}/")


def test_a_name_without_an_address_is_unavailable() -> None:
    with pytest.raises(WebhookUnavailable, match="has no address"):
        post("https://nobody.invalid/")


def test_a_resolver_that_hangs_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *question, **kind: ended.wait() and [])
    with pytest.raises(WebhookTimedOut):
        post("https://hooks.example/", seconds=0.2)
    ended.set()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0", "127.1"])
def test_loopback_is_refused_however_it_is_written(webhook_receiver: Any, host: str) -> None:
    with pytest.raises(WebhookForbidden):
        post(webhook_receiver.url(host), policy=EgressPolicy())
    assert webhook_receiver.received == []


def test_a_name_with_one_forbidden_address_is_forbidden(webhook_receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["127.0.0.1", "10.0.0.1"])
    with pytest.raises(WebhookForbidden, match="webhooks may not reach"):
        post(webhook_receiver.url("hooks.example"))
    assert webhook_receiver.received == []


def test_a_name_is_looked_up_once_and_the_judged_address_is_connected_to(
    webhook_receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that changes between judging and connecting (DNS rebinding) gains nothing."""
    asked = resolving(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    post(webhook_receiver.url("hooks.example"))
    assert asked == ["hooks.example"]
    assert webhook_receiver.received[0].headers["host"] == f"hooks.example:{webhook_receiver.port}"


def test_the_next_address_of_a_name_is_tried(webhook_receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    post(webhook_receiver.url("hooks.example"), policy=EgressPolicy.listed("127.0.0.0/8"))
    assert len(webhook_receiver.received) == 1


def test_http_is_refused_to_public_addresses() -> None:
    with pytest.raises(WebhookForbidden, match="without https"):
        post("http://1.1.1.1/", policy=EgressPolicy())


def test_proxies_of_the_environment_are_not_asked(webhook_receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(webhook_receiver.url()).status == 200


def test_https_is_held_against_the_name(
    secure_webhook_receiver: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "hooks.example.pem"))
    trusted.cache_clear()
    resolving(monkeypatch, ["127.0.0.1"])
    assert post(secure_webhook_receiver.url("hooks.example")).status == 200
    with pytest.raises(WebhookRefused, match="not trusted"):
        post(secure_webhook_receiver.url("other.example"))
    trusted.cache_clear()


def test_an_unknown_authority_is_refused(secure_webhook_receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["127.0.0.1"])
    with pytest.raises(WebhookRefused, match="not trusted"):
        post(secure_webhook_receiver.url("hooks.example"))
    assert secure_webhook_receiver.received == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "https:///path",
        "https://me:pw@hooks.example/",
        "https://hooks.example/#part",
        "https://hooks.example/a b",
        "https://hooks.example:99999/",
        "https://hooks.example:0/",
        "https://a\n.example/",
        f"https://hooks.example/{'x' * 2000}",
        "https://[::1/",
    ],
)
def test_an_address_that_no_webhook_can_have_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_url(url)
