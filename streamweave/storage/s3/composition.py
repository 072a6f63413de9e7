"""Putting staged objects together under a final key: on the server, all or nothing, and never over what stands there.

A multipart upload whose parts are copies of objects. It appears under its key in the moment it is completed, and it is
completed only if nothing stands there (``If-None-Match: *``; Amazon S3 User Guide, "Conditional writes"). S3 copies at
most 5 GiB at once: each part may have so much, and the whole any size.

Requests that obstore has no words for: what puts objects together on the server.

Signature Version 4, by which S3 knows who asks.

Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)".
"""

import hashlib
import hmac
import ssl
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, partial
from urllib.parse import quote, unquote_plus, urlsplit
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

import httpx

from streamweave.errors import CopyNotProven, StorageError, StorageRefused, StorageUnavailable
from streamweave.storage.s3.bucket import no_answer, s3_error
from streamweave.storage.s3.connection import SCHEME, Patience, S3Connection

_ALGORITHM = "AWS4-HMAC-SHA256"


def percent_encoded(text: str, *, keep: str = "") -> str:
    """``text`` in UTF-8, with everything but letters, digits and ``-._~`` (and ``keep``) percent-encoded."""
    return quote(text, safe=f"-._~{keep}")


def signed_headers(
    connection: S3Connection, method: str, url: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> dict[str, str]:
    """``headers`` and those that prove who sends them. ``url`` is percent-encoded, its query's fields sorted by name.

    ``now`` is UTC; servers refuse what is more than 15 minutes off their own clock.
    """
    parts = urlsplit(url)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    signed = {
        **{name.lower(): value for name, value in headers.items()},
        "host": parts.netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
    }
    names = ";".join(sorted(signed))
    lines = [f"{name}:{signed[name].strip()}" for name in sorted(signed)]
    canonical = "\n".join([method, parts.path or "/", parts.query, *lines, "", names, digest])
    scope = f"{stamp[:8]}/{connection.region}/s3/aws4_request"
    to_sign = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = hmac.new(_signing_key(connection, stamp[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={connection.access_key_id}/{scope}"
    signed["authorization"] = f"{_ALGORITHM} {credential},SignedHeaders={names},Signature={signature}"
    return signed


def _signing_key(connection: S3Connection, day: str) -> bytes:
    key = f"AWS4{connection.secret_access_key}".encode()
    for step in (day, connection.region, "s3", "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key


_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_RETRIED_CODES = frozenset({"InternalError", "SlowDown", "RequestTimeout", "ServiceUnavailable"})


@dataclass(frozen=True, slots=True)
class S3Answer:
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
    ) -> S3Answer:
        """The answer to one request, asked again while the server is busy or silent. Raises ``StorageError``."""
        url = self._url(key, query)
        place = f"{SCHEME}{self._connection.bucket}/{key}"
        answer = self._send(method, url, headers or {}, body, place)
        for retry in range(self._patience.retries):
            if isinstance(answer, S3Answer):
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
    ) -> S3Answer | StorageError:
        """The answer, or the error after which the request is worth another try; raises any other."""
        signed = signed_headers(self._connection, method, url, headers, body, datetime.now(UTC))
        try:
            response = self._client.request(method, url, headers=signed, content=body)
        except httpx.RequestError as error:
            failed = no_answer(place)
            failed.__cause__ = error
            return failed
        answer = S3Answer(_parsed(response.content), _date(response))
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


COPIES_AT_ONCE = 4
CHECKSUMS = {"x-amz-checksum-algorithm": "SHA256"}


@dataclass(frozen=True, slots=True)
class Ingredient:
    """An object to copy, and the SHA-256 of its bytes in base64 where that is known."""

    key: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A composition that was begun and neither finished nor given up; ``age`` is by the server's clock."""

    key: str
    upload_id: str
    age: timedelta


@dataclass(frozen=True, slots=True)
class _Copied:
    e_tag: str
    sha256: str  # empty where the server doesn't compute it


class Composer:
    """Composes objects of one bucket. Every method raises ``StorageError``."""

    def __init__(self, connection: S3Connection, patience: Patience) -> None:
        self._bucket = connection.bucket
        self._exchange = Exchange(connection, patience)
        self._checksums = CHECKSUMS

    def compose(self, key: str, ingredients: Sequence[Ingredient]) -> None:
        """Make ``key`` of the ingredients, in their order; each but the last has at least 5 MiB, and none is empty.

        Raises ``DestinationOccupied`` when something stands there, and ``CopyNotProven`` when the server reports that
        it has copied other bytes than were staged. MinIO copies nothing into an upload that was begun with a checksum
        algorithm (it misses a header that copies don't have): a server that refuses is asked again without.
        """
        try:
            self._compose(key, ingredients, self._checksums)
        except StorageRefused:
            if not self._checksums:
                raise
            self._compose(key, ingredients, {})

    def _compose(self, key: str, ingredients: Sequence[Ingredient], checksums: dict[str, str]) -> None:
        upload_id = self._begin(key, checksums)
        try:
            copied = self._copy(key, upload_id, ingredients)
            self._checksums = checksums  # with these the server copies
            self._complete(key, upload_id, copied)
        except BaseException:
            with suppress(StorageError):
                self.give_up(key, upload_id)
            raise

    def give_up(self, key: str, upload_id: str) -> None:
        """Drop an unfinished composition."""
        self._exchange.ask("DELETE", key, {"uploadId": upload_id})

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """Compositions under way below ``prefix`` (with an empty one: all), or left behind."""
        query = {"uploads": "", "encoding-type": "url", "prefix": f"{prefix}/" if prefix else ""}
        while True:
            page = self._exchange.ask("GET", "", query)
            yield from _unfinished(page)
            if page.text("IsTruncated") != "true":
                return
            query["key-marker"] = _key(page, page.root, "NextKeyMarker")
            query["upload-id-marker"] = page.text("NextUploadIdMarker")

    def _begin(self, key: str, checksums: dict[str, str]) -> str:
        begun = self._exchange.ask("POST", key, {"uploads": ""}, checksums)
        if upload_id := begun.text("UploadId"):
            return upload_id
        raise StorageRefused(f"{SCHEME}{self._bucket}/{key}: is endpoint_url the address of an S3 server?")

    def _complete(self, key: str, upload_id: str, copied: Sequence[_Copied]) -> None:
        body = _completion(copied)
        answer = self._exchange.ask("POST", key, {"uploadId": upload_id}, {"if-none-match": "*"}, body)
        # It begins with 200 before the outcome is known: an answer that was cut off, or is a proxy's, proves nothing.
        if answer.name != "CompleteMultipartUploadResult":
            raise StorageUnavailable(f"{SCHEME}{self._bucket}/{key}: the server doesn't say that it is complete")

    def _copy(self, key: str, upload_id: str, ingredients: Sequence[Ingredient]) -> list[_Copied]:
        copy = partial(self._copy_one, key, upload_id)
        if len(ingredients) == 1:
            return [copy(1, ingredients[0])]
        with ThreadPoolExecutor(COPIES_AT_ONCE) as threads:
            try:
                return list(threads.map(copy, range(1, len(ingredients) + 1), ingredients))
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _copy_one(self, key: str, upload_id: str, number: int, ingredient: Ingredient) -> _Copied:
        source = {"x-amz-copy-source": percent_encoded(f"/{self._bucket}/{ingredient.key}", keep="/")}
        answer = self._exchange.ask("PUT", key, {"partNumber": str(number), "uploadId": upload_id}, source)
        copied = _Copied(answer.text("ETag"), answer.text("ChecksumSHA256"))
        if copied.sha256 and ingredient.sha256 and copied.sha256 != ingredient.sha256:
            raise CopyNotProven(f"{ingredient.key}: the server has copied other bytes than were staged")
        return copied


def _completion(copied: Sequence[_Copied]) -> bytes:
    root = Element("CompleteMultipartUpload")
    for number, part in enumerate(copied, 1):
        element = SubElement(root, "Part")
        SubElement(element, "PartNumber").text = str(number)
        SubElement(element, "ETag").text = part.e_tag
        if part.sha256:
            SubElement(element, "ChecksumSHA256").text = part.sha256
    return tostring(root)


def _unfinished(page: S3Answer) -> Iterator[Unfinished]:
    for upload in page.root.iterfind("{*}Upload"):
        age = page.date - _time(upload.findtext("{*}Initiated") or "")
        yield Unfinished(_key(page, upload, "Key"), upload.findtext("{*}UploadId") or "", age)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise StorageRefused(f"the server lists unfinished uploads with the unreadable time {text!r}") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _key(page: S3Answer, element: Element, name: str) -> str:
    text = element.findtext(f"{{*}}{name}") or ""
    return unquote_plus(text) if page.text("EncodingType") == "url" else text
