"""Requests that obstore has no words for: what puts objects together on the server."""

import ssl
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from xml.etree.ElementTree import Element, ParseError, fromstring

import httpx

from streamweave.errors import StorageError
from streamweave.storage.s3.connection import SCHEME, S3Connection
from streamweave.storage.s3.faults import no_answer, s3_error
from streamweave.storage.s3.patience import Patience
from streamweave.storage.s3.signing import percent_encoded, signed_headers

_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_RETRIED_CODES = frozenset({"InternalError", "SlowDown", "RequestTimeout", "ServiceUnavailable"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said, and when by its own clock. ``text`` finds an element's text by name, or is empty."""

    root: Element
    date: datetime

    @property
    def name(self) -> str:
        """What it is: the name of its root element."""
        return self.root.tag.rpartition("}")[2]

    def text(self, name: str) -> str:
        """The text of the first element of that name on the first level."""
        return self.root.findtext(f"{{*}}{name}") or ""


class Exchange:
    """Signed requests to one bucket, each asked again a few times. Safe to share between threads."""

    def __init__(self, connection: S3Connection, patience: Patience) -> None:
        self._connection = connection
        self._patience = patience
        timeout = httpx.Timeout(patience.silent_seconds, connect=patience.connect_seconds)
        self._client = httpx.Client(timeout=timeout, verify=_tls())
        weakref.finalize(self, self._client.close)

    def ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """The answer to one request, asked again while the server is busy or silent. Raises ``StorageError``."""
        url = self._url(key, query)
        place = f"{SCHEME}{self._connection.bucket}/{key}"
        answer = self._send(method, url, headers or {}, body, place)
        for retry in range(self._patience.retries):
            if isinstance(answer, Answer):
                break
            time.sleep(self._patience.pause_seconds(retry))
            answer = self._send(method, url, headers or {}, body, place)
        if isinstance(answer, StorageError):
            raise answer
        return answer

    def _url(self, key: str, query: Mapping[str, str]) -> str:
        fields = "&".join(f"{name}={percent_encoded(query[name])}" for name in sorted(query))
        return f"{self._connection.url}/{percent_encoded(key, keep='/')}?{fields}"

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, place: str
    ) -> Answer | StorageError:
        """The answer, or the error after which the request is worth another try; raises any other."""
        signed = signed_headers(self._connection, method, url, headers, body, datetime.now(UTC))
        try:
            response = self._client.request(method, url, headers=signed, content=body)
        except httpx.RequestError as error:
            failed = no_answer(place)
            failed.__cause__ = error
            return failed
        answer = Answer(_parsed(response.content), _date(response))
        if response.is_success and answer.name != "Error":  # a 200 may still turn out to be an error
            return answer
        code = answer.text("Code") if answer.name == "Error" else ""
        refusal = s3_error(code, response.status_code, place)
        if response.status_code in _RETRIED or code in _RETRIED_CODES:
            return refusal
        raise refusal


def _parsed(content: bytes) -> Element:
    try:
        return fromstring(content.strip()) if content.strip() else Element("Nothing")
    except ParseError:
        return Element("Unreadable")


def _date(response: httpx.Response) -> datetime:
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)


@cache
def _tls() -> ssl.SSLContext:
    """Trusts what the system trusts, as obstore does; reading that takes a while, so it is done once."""
    return ssl.create_default_context()
