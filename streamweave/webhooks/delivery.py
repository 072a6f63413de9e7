"""Delivery: one attempt to hand a message to whoever listens at an address. Trying again is the caller's policy."""

import time
import uuid
from dataclasses import dataclass

import httpcore
import httpx

from streamweave.errors import WebhookRefused, WebhookUnavailable
from streamweave.webhooks.deadline import Deadline
from streamweave.webhooks.egress import EgressPolicy
from streamweave.webhooks.network import JudgedNetwork, trusted
from streamweave.webhooks.signing import signed

LONGEST_URL = 2_000
LARGEST_ANSWER = 1 << 20
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was taken, with a status of 200 to 299, and what was answered to it."""

    message_id: str
    status: int
    body: bytes
    seconds: float


def new_message_id() -> str:
    """A name for a message, to be kept for all attempts to deliver it."""
    return f"msg_{uuid.uuid4().hex}"


def check_url(url: str) -> httpx.URL:
    """The address in its parts. Raises ``ValueError`` for one that no webhook can have."""
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError("is no address") from error
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        raise ValueError(f"must be at most {LONGEST_URL} characters, without blanks")
    if parts.scheme not in ("https", "http") or not parts.host:
        raise ValueError("must be written like https://host/path")
    if parts.port is not None and not 0 < parts.port < 65_536:
        raise ValueError("must have a port from 1 to 65535")
    if parts.userinfo or "#" in url:
        raise ValueError("must hold neither a name and password nor a #")
    return parts


def deliver(
    url: str,
    body: bytes,
    *,
    secret: str,
    policy: EgressPolicy,
    timeout_seconds: float,
    message_id: str | None = None,
    largest_answer: int = LARGEST_ANSWER,
) -> Delivery:
    """Post a JSON ``body``, signed. It ends within ``timeout_seconds``, whatever the other side does.

    Raises ``WebhookUnavailable`` (worth another attempt, with the same ``message_id``), ``WebhookRefused`` or
    ``WebhookForbidden``; and ``ValueError`` for an address or a secret that could never have been entered.
    """
    parts = check_url(url)
    message_id = message_id or new_message_id()
    started = time.monotonic()
    headers = {
        **signed(secret, message_id, int(time.time()), body),
        "host": parts.netloc.decode("ascii"),
        "content-type": "application/json",
        "content-length": str(len(body)),
        "user-agent": "StreamWeave",
        "accept": "application/json",
        "connection": "close",
    }
    request = httpcore.Request(
        "POST",
        httpcore.URL(scheme=parts.raw_scheme, host=parts.raw_host, port=parts.port, target=parts.raw_path),
        headers=list(headers.items()),
        content=body,
    )
    network = JudgedNetwork(policy, Deadline(timeout_seconds), encrypted=parts.scheme == "https")
    status, answer = _exchange(request, network, largest_answer)
    _check_taken(status)
    return Delivery(message_id, status, answer, time.monotonic() - started)


def _exchange(request: httpcore.Request, network: JudgedNetwork, largest_answer: int) -> tuple[int, bytes]:
    """Status and body of the answer. Raises what ``deliver`` does."""
    try:
        with httpcore.ConnectionPool(ssl_context=trusted(), network_backend=network) as connections:
            response = connections.handle_request(request)
            try:
                return response.status, _body(response, largest_answer)
            finally:
                response.close()
    except httpcore.TimeoutException as error:
        raise network.deadline.missed() from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise WebhookUnavailable(f"the connection was lost or made no sense: {error}") from error


def _body(response: httpcore.Response, largest: int) -> bytes:
    body = bytearray()
    for part in response.iter_stream():
        body += part
        if len(body) > largest:
            raise WebhookRefused(f"the answer is larger than {largest} bytes")
    return bytes(body)


def _check_taken(status: int) -> None:
    if status in _LATER:
        raise WebhookUnavailable(f"the answer's status is {status}: not now")
    if 300 <= status < 400:
        raise WebhookRefused(
            f"the answer's status is {status}, but a webhook follows no redirect: enter the final address"
        )
    if status >= 400:
        raise WebhookRefused(f"the answer's status is {status}")
