"""The network as a webhook sees it: only judged addresses, and only until a deadline."""

import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpcore

from streamweave.errors import WebhookForbidden, WebhookRefused, WebhookUnavailable
from streamweave.host_addresses import Address, look_up
from streamweave.webhooks.deadline import Deadline
from streamweave.webhooks.egress import EgressPolicy

AT_ONCE = 4096
"""Bytes that go into any socket's buffer in one go: more of them could wait for a slow reader several times over."""


class JudgedNetwork(httpcore.NetworkBackend):
    """Looks a name up once, judges every address, and connects to these very addresses.

    A name that leads to a single forbidden address is forbidden: it may well lead there at the next attempt.
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
        local_address: str | None = None,  # noqa: ARG002 - nobody sets it
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - nobody sets any
    ) -> httpcore.NetworkStream:
        """Connect to the first of the addresses that answers. Raises ``WebhookForbidden`` or ``WebhookUnavailable``."""
        addresses = addresses_of(host, self.deadline)
        if not all(map(self._allows, addresses)):
            way = "" if self._encrypted else " without https"
            raise WebhookForbidden(f"{host} has an address that webhooks may not reach{way}")
        for address in addresses:
            try:
                stream = httpcore.SyncBackend().connect_tcp(str(address), port, self.deadline.left())
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
            return HurriedStream(stream, self.deadline)
        self.deadline.left()
        raise WebhookUnavailable(f"nobody answers at {host}, port {port}")


class HurriedStream(httpcore.NetworkStream):
    """A connection whose every step ends by the same deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline is stricter
        """As the connection does."""
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the deadline is stricter
        """As the connection does."""
        for start in range(0, len(buffer), AT_ONCE):
            self._stream.write(buffer[start : start + AT_ONCE], self._deadline.left())

    def close(self) -> None:
        """As the connection does."""
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
        """As the connection does."""
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
