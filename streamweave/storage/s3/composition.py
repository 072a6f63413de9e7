"""Putting staged objects together under a final key: on the server, all or nothing, and never over what stands there.

A multipart upload whose parts are copies of objects. It appears under its key in the moment it is completed, and it is
completed only if nothing stands there (``If-None-Match: *``; Amazon S3 User Guide, "Conditional writes"). S3 copies at
most 5 GiB at once: each part may have so much, and the whole any size.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element, SubElement, tostring

from streamweave.errors import CopyNotProven, StorageError, StorageRefused, StorageUnavailable
from streamweave.storage.s3.connection import SCHEME, S3Connection
from streamweave.storage.s3.exchange import Answer, Exchange
from streamweave.storage.s3.patience import Patience
from streamweave.storage.s3.signing import percent_encoded

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


def _unfinished(page: Answer) -> Iterator[Unfinished]:
    for upload in page.root.iterfind("{*}Upload"):
        age = page.date - _time(upload.findtext("{*}Initiated") or "")
        yield Unfinished(_key(page, upload, "Key"), upload.findtext("{*}UploadId") or "", age)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise StorageRefused(f"the server lists unfinished uploads with the unreadable time {text!r}") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _key(page: Answer, element: Element, name: str) -> str:
    text = element.findtext(f"{{*}}{name}") or ""
    return unquote_plus(text) if page.text("EncodingType") == "url" else text
