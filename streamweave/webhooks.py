"""Webhooks: signed requests to addresses that users enter, and only to addresses that the facility allows.

A request is signed as Standard Webhooks has it (https://www.standardwebhooks.com), so that ready-made receivers work:

=====================  =========================================================================================
``webhook-id``         the message's own name; the same at every further attempt, so that a receiver acts once
``webhook-timestamp``  when this attempt was made: whole seconds since 1970, UTC
``webhook-signature``  ``v1,`` and, in Base64, HMAC-SHA256 over ``{id}.{timestamp}.{body}``
=====================  =========================================================================================

The key is what the secret ``whsec_…`` holds in Base64: 24 to 64 bytes. A receiver computes the signature, compares it
in constant time, and refuses a timestamp more than five minutes from its own clock: ``is_genuine`` does all that.

An address that a user enters could lead into the facility's network. Therefore a name is resolved once, every address
found is checked (``EgressPolicy``), and the connection is made to a checked one (``CheckedNetwork``). Redirects and
proxies are not followed. One deadline holds for all steps together, since a server that sends byte by byte keeps every
single step short. ``deliver`` makes one attempt; retrying is up to the caller.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
import ssl
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import httpcore
import httpx

from streamweave.errors import WebhookForbidden, WebhookRefused, WebhookTimedOut, WebhookUnavailable
from streamweave.hosts import Address, look_up

LONGEST_URL = 2_000
_PORT = "6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}"
WEBHOOK_URL = rf'^https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?:{_PORT}))?(?:/[!-"$-~]*)?$'
"""No name and password before the host, no fragment after the path, and a name with an umlaut in its ``xn--`` form."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out of IPv6 for the public."""
NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "169.254.0.0/16",  # link-local, where clouds answer with credentials
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "168.63.129.16/32",  # the host of an Azure machine
        "192.0.0.192/32",  # metadata of Oracle Cloud
        "192.88.99.0/24",  # relays of 6to4
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "::/128",
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, given up
        "ff00::/8",  # multicast
        "fd00:ec2::/32",  # metadata of AWS
        "fd20:ce::254/128",  # metadata of Google Cloud
        # IPv6 addresses that carry an IPv4 address, which some router or kernel may turn into it
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
    )
)
"""Not even where the facility lists a network around them."""
AT_ONCE = 4096
"""Bytes that go into any socket's buffer in one go: more of them could wait for a slow reader several times over."""
PREFIX = "whsec_"
SHORTEST_KEY, LONGEST_KEY = 24, 64
_FOUR = "(?:[A-Za-z0-9+/]{4})"
SECRET_PATTERN = rf"^whsec_(?:{_FOUR}{{8,21}}|{_FOUR}{{8,21}}[A-Za-z0-9+/]{{2}}==|{_FOUR}{{8,20}}[A-Za-z0-9+/]{{3}}=)$"
TOLERANCE_SECONDS = 300
"""How far a receiver lets the sender's clock be from its own, and how long a recorded request could be played again."""
LARGEST_ANSWER = 1 << 20
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


def check_url(url: str) -> httpx.URL:
    """The address in its parts. Raises ``ValueError`` for one that no webhook can have."""
    if len(url) > LONGEST_URL or not re.fullmatch(WEBHOOK_URL, url):
        raise ValueError(f"must be written like https://host/path, in at most {LONGEST_URL} characters of ASCII")
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError("must name a host that can exist") from error


class Deadline:
    """A moment of the monotonic clock, and the patience in seconds that it came from."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, more than 0. Raises ``WebhookTimedOut`` when it has passed."""
        seconds = self._at - time.monotonic()
        if seconds <= 0:
            raise self.missed()
        return seconds

    def missed(self) -> WebhookTimedOut:
        """The error that says so."""
        return WebhookTimedOut(f"no complete answer within {self.seconds:g} seconds")


class EgressPolicy:
    """Public addresses, over https; and over http too those of the networks that the facility lists as its own."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.networks = tuple(networks)

    @classmethod
    def listed(cls, networks: str) -> Self:
        """The policy with comma-separated networks, e.g. ``10.1.0.0/16, 127.0.0.1``. Raises ``ValueError``."""
        return cls(ipaddress.ip_network(part.strip()) for part in networks.split(",") if part.strip())

    def allows(self, address: Address) -> bool:
        """Whether a webhook may reach the address."""
        if _lies_in(address, NEVER):
            return False
        return self.is_ours(address) or _is_public(address)

    def allows_http(self, address: Address) -> bool:
        """Whether a webhook may reach the address without encryption."""
        return self.allows(address) and self.is_ours(address)

    def is_ours(self, address: Address) -> bool:
        """Whether the facility lists a network around the address."""
        return _lies_in(address, self.networks)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _lies_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


class CheckedNetwork(httpcore.NetworkBackend):
    """Resolves a name once, checks every address, and connects to these very addresses.

    A name that leads to a single forbidden address is forbidden: it may resolve to that one at the next attempt.
    """

    def __init__(self, policy: EgressPolicy, deadline: Deadline, *, encrypted: bool) -> None:
        self._allows = policy.allows if encrypted else policy.allows_http
        self.deadline = deadline
        self._encrypted = encrypted

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is stricter
        local_address: str | None = None,  # noqa: ARG002 - never set
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - never set
    ) -> httpcore.NetworkStream:
        """Connect to the first of the addresses that answers. Raises ``WebhookForbidden`` or ``WebhookUnavailable``."""
        addresses = addresses_of(host, self.deadline)
        if not all(map(self._allows, addresses)):
            condition = "" if self._encrypted else " without https"
            raise WebhookForbidden(f"{host} has an address that webhooks may not reach{condition}")
        for address in addresses:
            try:
                stream = httpcore.SyncBackend().connect_tcp(str(address), port, self.deadline.left())
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
            return HurriedStream(stream, self.deadline)
        self.deadline.left()
        raise WebhookUnavailable(f"no answer from {host}, port {port}")


class HurriedStream(httpcore.NetworkStream):
    """A connection whose every step ends by the same deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline is stricter
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the deadline is stricter
        for start in range(0, len(buffer), AT_ONCE):
            self._stream.write(buffer[start : start + AT_ONCE], self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is stricter
    ) -> httpcore.NetworkStream:
        """As the connection does: the certificate is held against the name, not against the address."""
        try:
            secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        except httpcore.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise WebhookRefused(f"its certificate is not trusted: {error.__cause__.verify_message}") from error
            raise
        return HurriedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def addresses_of(host: str, deadline: Deadline) -> list[Address]:
    """All addresses of a name, in the resolver's order. Raises ``WebhookUnavailable``."""
    try:
        found = look_up(host, deadline.left())
    except TimeoutError:
        raise deadline.missed() from None
    if not found:
        raise WebhookUnavailable(f"the name {host} has no address at present")
    return found


@cache
def trusted() -> ssl.SSLContext:
    """Trusts what the system trusts (or ``SSL_CERT_FILE`` says); reading that takes a while, so it is done once."""
    return ssl.create_default_context()


def signing_key(secret: str) -> bytes:
    """The key in a secret. Raises ``ValueError``, which never repeats the secret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise ValueError(f"must be {PREFIX} and {SHORTEST_KEY} to {LONGEST_KEY} random bytes in Base64")
    return key


def signed(secret: str, message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """The headers that go with a message. ``timestamp`` is in seconds since 1970, UTC."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{_signature(secret, message_id, str(timestamp), body)}",
    }


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now: float | None = None) -> bool:
    """Whether a message is signed with the secret, and is not an old one played again. Header names in lower case."""
    timestamp = headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    expected = f"v1,{_signature(secret, headers.get('webhook-id', ''), timestamp, body)}".encode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected, each.encode()) for each in given)


def _signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    content = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(signing_key(secret), content, hashlib.sha256).digest()).decode()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was taken, with a status of 200 to 299, and what was answered to it."""

    message_id: str
    status: int
    body: bytes
    seconds: float


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
    message_id = message_id or f"msg_{uuid.uuid4().hex}"
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
    network = CheckedNetwork(policy, Deadline(timeout_seconds), encrypted=parts.scheme == "https")
    status, answer = _exchange(request, network, largest_answer)
    _check_taken(status)
    return Delivery(message_id, status, answer, time.monotonic() - started)


def _exchange(request: httpcore.Request, network: CheckedNetwork, largest_answer: int) -> tuple[int, bytes]:
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
