"""Delivery: one attempt to hand a message to whoever listens at an address. Trying again is the caller's policy."""

import time
import uuid
from dataclasses import dataclass

import httpcore

from streamweave.errors import WebhookRefused, WebhookUnavailable
from streamweave.webhooks.address import check_url
from streamweave.webhooks.deadline import Deadline
from streamweave.webhooks.egress import EgressPolicy
from streamweave.webhooks.network import JudgedNetwork, trusted
from streamweave.webhooks.signing import signed

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
    except httpcore.NetworkError as error:
        raise WebhookUnavailable(f"the connection was lost: {error}") from error
    except httpcore.ProtocolError as error:  # it quotes what was said, which may be no business of who asked
        raise WebhookUnavailable("the connection ended early, or what answers there speaks no HTTP") from error


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
