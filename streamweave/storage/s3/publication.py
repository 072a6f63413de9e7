"""Publication: staged files get their final keys, each all at once, and never over an existing object.

A small file is read once more, compared with the SHA-256 that its part is named by, and put under its final key by one
conditional request. The parts of a larger one are composed by the server: no byte of it travels again. S3 does not know
that a path leads to a file or to a folder, never to both; that is checked before, so that the archive can be copied
into folders.

A composition is a multipart upload whose parts are copies of objects. It appears under its key in the moment it is
completed, and it is completed only if the key is free (``If-None-Match: *``; Amazon S3 User Guide, "Conditional
writes"). S3 copies at most 5 GiB at once: each part may have so much, and the whole any size. obstore has no words for
these requests, so they are sent here, signed by botocore.
"""

import hashlib
import ssl
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, partial
from typing import Any
from urllib.parse import quote, unquote_plus
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

import httpx

from streamweave.errors import (
    CopyNotProven,
    DestinationOccupied,
    PathUnusable,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from streamweave.storage.s3.bucket import Bucket, no_answer, s3_error
from streamweave.storage.s3.connection import SCHEME, Patience, S3Connection
from streamweave.storage.s3.staging import Ingredient, StagedPart

COPIES_AT_ONCE = 4
CHECKSUMS = {"x-amz-checksum-algorithm": "SHA256"}
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
RETRIED_CODES = frozenset({"InternalError", "SlowDown", "RequestTimeout", "ServiceUnavailable"})
SMALL_BYTES = 1 << 20  # as much as is sent in the time that the requests of a composition take
INGREDIENTS = 10_000  # the limit of S3
GROUP = 32  # parts: 1 GiB at most


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A composition that was begun and neither finished nor given up; ``age`` is by the server's clock."""

    key: str
    upload_id: str
    age: timedelta


class Composer:
    """Composes objects of one bucket. Every method raises ``StorageError``."""

    def __init__(self, connection: S3Connection, patience: Patience) -> None:
        self._bucket = connection.bucket
        self._requests = SignedRequests(connection, patience)
        self._checksums = CHECKSUMS

    def compose(self, key: str, ingredients: Sequence[Ingredient]) -> None:
        """Make ``key`` of the ingredients, in their order; each but the last has at least 5 MiB, and none is empty.

        Raises ``DestinationOccupied`` when the key is taken, and ``CopyNotProven`` when the server reports that it has
        copied other bytes than were staged. MinIO copies nothing into an upload that was begun with a checksum
        algorithm (it misses a header that copies don't have): a server that refuses is asked again without.
        """
        try:
            self._compose(key, ingredients, self._checksums)
        except StorageRefused:
            if not self._checksums:
                raise
            self._compose(key, ingredients, {})

    def give_up(self, key: str, upload_id: str) -> None:
        self._requests.send("DELETE", key, {"uploadId": upload_id})

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """Compositions under way below ``prefix`` (with an empty one: all), or left behind."""
        query = {"uploads": "", "encoding-type": "url", "prefix": f"{prefix}/" if prefix else ""}
        while True:
            page = self._requests.send("GET", "", query)
            for upload in page.root.iterfind("{*}Upload"):
                age = page.date - _time(upload.findtext("{*}Initiated") or "")
                yield Unfinished(page.key(upload, "Key"), upload.findtext("{*}UploadId") or "", age)
            if page.text("IsTruncated") != "true":
                return
            query["key-marker"] = page.key(page.root, "NextKeyMarker")
            query["upload-id-marker"] = page.text("NextUploadIdMarker")

    def _compose(self, key: str, ingredients: Sequence[Ingredient], checksums: dict[str, str]) -> None:
        upload_id = self._requests.send("POST", key, {"uploads": ""}, checksums).text("UploadId")
        if not upload_id:
            raise StorageRefused(f"{SCHEME}{self._bucket}/{key}: is endpoint_url the address of an S3 server?")
        try:
            parts = self._copy(key, upload_id, ingredients)
            self._checksums = checksums  # with these the server copies
            self._complete(key, upload_id, parts)
        except BaseException:
            with suppress(StorageError):
                self.give_up(key, upload_id)
            raise

    def _copy(self, key: str, upload_id: str, ingredients: Sequence[Ingredient]) -> list[Element]:
        copy = partial(self._copy_one, key, upload_id)
        if len(ingredients) == 1:
            return [copy(1, ingredients[0])]
        with ThreadPoolExecutor(COPIES_AT_ONCE) as threads:
            try:
                return list(threads.map(copy, range(1, len(ingredients) + 1), ingredients))
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _copy_one(self, key: str, upload_id: str, number: int, ingredient: Ingredient) -> Element:
        """Copy an ingredient; returns the part as the completion names it."""
        source = {"x-amz-copy-source": percent_encoded(f"/{self._bucket}/{ingredient.key}", keep="/")}
        answer = self._requests.send("PUT", key, {"partNumber": str(number), "uploadId": upload_id}, source)
        sha256 = answer.text("ChecksumSHA256")  # empty where the server doesn't compute it
        if sha256 and ingredient.sha256 and sha256 != ingredient.sha256:
            raise CopyNotProven(f"{ingredient.key}: the server has copied other bytes than were staged")
        part = Element("Part")
        SubElement(part, "PartNumber").text = str(number)
        SubElement(part, "ETag").text = answer.text("ETag")
        if sha256:
            SubElement(part, "ChecksumSHA256").text = sha256
        return part

    def _complete(self, key: str, upload_id: str, parts: Sequence[Element]) -> None:
        completion = Element("CompleteMultipartUpload")
        completion.extend(parts)
        query, headers = {"uploadId": upload_id}, {"if-none-match": "*"}
        answer = self._requests.send("POST", key, query, headers, tostring(completion))
        # It begins with 200 before the outcome is known: an answer that was cut off, or is a proxy's, proves nothing.
        if answer.name != "CompleteMultipartUploadResult":
            raise StorageUnavailable(f"{SCHEME}{self._bucket}/{key}: the server doesn't say that it is complete")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise StorageRefused(f"the server lists unfinished uploads with the unreadable time {text!r}") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class S3Answer:
    """What the server answered, and when by its own clock."""

    root: Element
    date: datetime

    @property
    def name(self) -> str:
        """What it is: the name of its root element."""
        return self.root.tag.rpartition("}")[2]

    def text(self, name: str) -> str:
        """The text of the first element of that name on the first level; empty if there is none."""
        return self.root.findtext(f"{{*}}{name}") or ""

    def key(self, element: Element, name: str) -> str:
        """The key in an element of a listing, which may be encoded for URLs."""
        text = element.findtext(f"{{*}}{name}") or ""
        return unquote_plus(text) if self.text("EncodingType") == "url" else text


class SignedRequests:
    """Signed requests to one bucket, each retried a few times. Safe to share between threads."""

    def __init__(self, connection: S3Connection, patience: Patience) -> None:
        self._connection = connection
        self._patience = patience
        timeout = httpx.Timeout(patience.silent_seconds, connect=patience.connect_seconds)
        self._client = httpx.Client(timeout=timeout, verify=_tls())
        weakref.finalize(self, self._client.close)

    def send(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> S3Answer:
        """The answer to one request, sent again while the server is busy or silent. Raises ``StorageError``."""
        fields = "&".join(f"{name}={percent_encoded(query[name])}" for name in sorted(query))
        url = f"{self._connection.url}/{percent_encoded(key, keep='/')}?{fields}"
        attempt = partial(self._attempt, method, url, headers or {}, body, f"{SCHEME}{self._connection.bucket}/{key}")
        answer = attempt()
        for retry in range(self._patience.retries):
            if isinstance(answer, S3Answer):
                break
            time.sleep(self._patience.pause_seconds(retry))
            answer = attempt()
        if isinstance(answer, StorageError):
            raise answer
        return answer

    def _attempt(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, place: str
    ) -> S3Answer | StorageError:
        """The answer, or the error after which the request is worth another attempt; raises any other."""
        signed = signed_headers(self._connection, method, url, headers, body)
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
        if response.status_code in RETRIED or code in RETRIED_CODES:
            return refusal
        raise refusal


def percent_encoded(text: str, *, keep: str = "") -> str:
    """``text`` in UTF-8, with everything but letters, digits and ``-._~`` (and ``keep``) percent-encoded."""
    return quote(text, safe=f"-._~{keep}")


def signed_headers(
    connection: S3Connection, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> dict[str, str]:
    """``headers`` and those that prove who sends them, now (Signature Version 4). ``url`` is percent-encoded."""
    new_request, sign = _signer(connection)
    request = new_request(method, url, headers=headers, data=body)
    sign(request)
    return dict(request.headers.items())


@cache
def _signer(connection: S3Connection) -> tuple[Callable[..., Any], Callable[[Any], None]]:
    """botocore's request and its signer for a key pair. It takes half a second to import, and few processes need it."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    credentials = Credentials(connection.access_key_id, connection.secret_access_key)
    return AWSRequest, S3SigV4Auth(credentials, "s3", connection.region).add_auth


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


class Publisher:
    """Publishes below the prefix of a location. Every method raises ``StorageError``."""

    def __init__(self, bucket: Bucket, composer: Composer, prefix: str) -> None:
        self._bucket = bucket
        self._composer = composer
        self._outer_folders = len(prefix.split("/")) if prefix else 0
        self._folders: set[str] = set()

    def publish(self, parts: Sequence[StagedPart], key: str) -> None:
        """Give the file of these parts its final key. Raises ``DestinationOccupied`` when it is taken."""
        self._check_tree(key)
        if len(parts) == 1 and parts[0].size_bytes <= SMALL_BYTES:
            self._bucket.create(key, self._content(parts[0]))
        else:
            with self._ingredients(parts) as ingredients:
                self._composer.compose(key, ingredients)

    def prove_nothing_is_replaced(self, mark: str, content: bytes) -> None:
        """Both ways to publish must be refused under the key of the object ``mark``. Raises ``StorageRefused``."""
        ways = (partial(self._bucket.create, mark, content), partial(self._composer.compose, mark, [Ingredient(mark)]))
        for publish in ways:
            try:
                publish()
            except DestinationOccupied:
                continue
            raise StorageRefused(
                f"{self._bucket.address(mark)}: the server replaces objects although it is told not to "
                "(If-None-Match: *), so nothing would be safe there"
            )

    def _check_tree(self, key: str) -> None:
        """No file may have the key of one of the path's folders, nor a folder that of the file."""
        if self._bucket.has_below(key):
            raise DestinationOccupied(f"{self._bucket.address(key)} exists already")
        parts = key.split("/")
        for depth in range(self._outer_folders + 1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in self._folders:
                if self._bucket.find(folder):
                    sentence = f"{self._bucket.address(key)}: part of the path is a file, not a folder"
                    raise PathUnusable(sentence, depth - 1 - self._outer_folders)
                self._folders.add(folder)

    def _content(self, part: StagedPart) -> bytes:
        content = self._bucket.content(part.key)
        if content is None:
            raise StorageUnavailable(f"{self._bucket.address(part.key)} is gone")
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise CopyNotProven(f"{self._bucket.address(part.key)} holds other bytes than were staged")
        return content

    @contextmanager
    def _ingredients(self, parts: Sequence[StagedPart]) -> Iterator[list[Ingredient]]:
        """What the file is composed of: its parts, or where these are too many for S3, groups of them."""
        ingredients = [part.as_ingredient() for part in parts]
        if len(parts) <= INGREDIENTS:
            yield ingredients
            return
        folder = parts[0].key.rpartition("/")[0]
        starts = range(0, len(parts), GROUP)
        groups = [Ingredient(f"{folder}/{number:06}-group") for number, _ in enumerate(starts, 1)]
        try:
            for group, start in zip(groups, starts, strict=True):
                self._composer.compose(group.key, ingredients[start : start + GROUP])
            yield groups
        finally:
            with suppress(StorageError):
                self._bucket.delete(group.key for group in groups)
