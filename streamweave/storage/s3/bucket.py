"""The objects of a bucket, through obstore: put with their SHA-256, which the server checks, got by ranges, listed.

A server that is far away answers many requests side by side in the time of one.
"""

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from streamweave.errors import (
    CopyNotProven,
    DestinationOccupied,
    PathUnusable,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from streamweave.storage.s3.connection import SCHEME, Patience, S3Connection

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Credential

KEYS_AT_ONCE = 1000  # a page of S3
ENCRYPTION = ("AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_")
AT_ONCE = 16

# Codes of Amazon S3 API Reference, "Error responses". They are permanent until a person changes something.
REFUSALS = {
    "NoSuchBucket": "there is no such bucket: create it, or correct base_path",
    "InvalidAccessKeyId": "the server doesn't know the access key: check access_key_id",
    "SignatureDoesNotMatch": "the server refuses the signature: check secret_access_key",
    "AccessDenied": "access denied: check the key pair, and that it may list, get, put and delete objects there",
    "ExpiredToken": "the key pair has expired: give a new one",
    "RequestTimeTooSkewed": "our clock and the server's are too far apart: set the clocks",
    "PermanentRedirect": "the bucket is elsewhere: correct region or endpoint_url",
    "AuthorizationHeaderMalformed": "the bucket is in another region: correct region",
    "EntityTooLarge": "the file is larger than the server takes",
    "NotImplemented": "the server can't do what is needed: conditional writes and multipart copies",
    "MethodNotAllowed": "the server doesn't allow it: is endpoint_url the address of an S3 server?",
}
# Servers that keep objects as files have the limits of a file system.
NO_SUCH_KEY = {
    "KeyTooLongError": "the key is too long for the server",
    "XMinioInvalidObjectName": "the server takes no such key",
    "XMinioParentIsObject": "part of the path is a file, not a folder",
    "XMinioObjectExistsAsDirectory": "a folder has this name",
}
CORRUPTED = frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"})
EXPLANATIONS = {
    "SlowDown": "the server asks to slow down",
    "ServiceUnavailable": "the server is overloaded",
    "QuotaExceeded": "the quota is used up",
    "XMinioStorageFull": "the storage is full",
    "ConditionalRequestConflict": "another request is writing there at this moment",
    "NoSuchUpload": "the server has given up the composition",
    "NoSuchKey": "the staged object is gone",
}
BY_STATUS = {301: "PermanentRedirect", 307: "PermanentRedirect", 401: "AccessDenied", 403: "AccessDenied"} | {
    405: "MethodNotAllowed",
    501: "NotImplemented",
}
PASSING = frozenset({404, 408, 409, 429})  # the client errors that may pass

_CODE = re.compile(r"(?:<Code>|\(code: )(\w+)")
_STATUS = re.compile(r"status code: (\d{3})")

Item = TypeVar("Item")
Result = TypeVar("Result")


class Bucket:
    """Every method raises ``StorageError`` with the address it is about."""

    def __init__(self, connection: S3Connection, patience: Patience) -> None:
        self._bucket = connection.bucket
        self._store = _store(connection, patience)

    def put(self, key: str, content: bytes) -> None:
        """Put an object, over any other one."""
        with s3_errors(self.address(key)):
            obstore.put(self._store, key, content, use_multipart=False)

    def create(self, key: str, content: bytes) -> None:
        """Put an object under a free key. Raises ``DestinationOccupied``."""
        with s3_errors(self.address(key)):
            obstore.put(self._store, key, content, use_multipart=False, mode="create")

    def find(self, key: str) -> "ObjectMeta | None":
        """The metadata of an object, or None; also when the whole bucket is missing, which S3 doesn't say here."""
        with s3_errors(self.address(key)):
            try:
                return obstore.head(self._store, key)
            except FileNotFoundError:
                return None

    def content(self, key: str) -> bytes | None:
        """All of an object, or None if there is no such object."""
        with s3_errors(self.address(key)):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError as error:
                if is_about_the_bucket(error):
                    raise
                return None

    def span(self, key: str, start: int, end: int, e_tag: str | None) -> bytes:
        """The bytes from ``start`` to before ``end``; if ``e_tag`` is known, of that very content and no other."""
        with s3_errors(self.address(key)):
            options: GetOptions = {"range": (start, end)}
            if e_tag is not None:
                options["if_match"] = e_tag
            return bytes(obstore.get(self._store, key, options=options).bytes())

    def below(self, prefix: str, after: str | None = None) -> Iterator["ObjectMeta"]:
        """Every object whose key begins with ``prefix`` and a slash (with an empty one: all), a page at a time.

        They come in the order of their keys in UTF-8; with ``after`` only those whose keys come after that text.
        """
        with s3_errors(self.address(prefix)):
            for page in obstore.list(self._store, prefix or None, offset=after, chunk_size=KEYS_AT_ONCE):
                yield from page

    def has_below(self, prefix: str) -> bool:
        return next(self.below(prefix), None) is not None

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, those that exist."""
        if gone := list(keys):
            common = gone[0] if len(gone) == 1 else posixpath.commonpath(gone)
            with s3_errors(self.address(common)):
                obstore.delete(self._store, gone)

    def address(self, key: str) -> str:
        """``s3://bucket/key``."""
        return f"{SCHEME}{self._bucket}/{key}"


def _store(connection: S3Connection, patience: Patience) -> S3Store:
    """The library's client. It reads AWS_ variables of the environment: all that they could decide is given here.

    Those about encryption can't be overruled; they would hold for what it puts, but not for what is composed. Raises
    ``StorageRefused`` for them.
    """
    if found := sorted(name for name in os.environ if name.startswith(ENCRYPTION)):
        raise StorageRefused(
            f"{connection.place}: {found[0]} is set in the environment, and would encrypt some objects and not others; "
            "unset it, and let the bucket encrypt what comes in"
        )
    credential: S3Credential = {
        "access_key_id": connection.access_key_id,
        "secret_access_key": connection.secret_access_key,
        "token": None,
        "expires_at": None,
    }
    client: ClientConfig = {
        "allow_http": connection.url.startswith("http://"),
        "connect_timeout": timedelta(seconds=patience.connect_seconds),
        "read_timeout": timedelta(seconds=patience.silent_seconds),
        "timeout": patience.longest,
    }
    retry: RetryConfig = {
        "max_retries": patience.retries,
        "retry_timeout": patience.longest,
        "backoff": {
            "init_backoff": timedelta(seconds=patience.first_pause_seconds),
            "max_backoff": timedelta(seconds=patience.longest_pause_seconds),
            "base": 2,
        },
    }
    return S3Store(
        connection.bucket,
        region=connection.region,
        endpoint=connection.url,
        aws_endpoint_url_s3=connection.url,
        virtual_hosted_style_request=True,  # that is: the bucket is named by the endpoint already
        checksum_algorithm="SHA256",
        conditional_put="etag",
        skip_signature=False,
        unsigned_payload=False,
        s3_express=False,
        disable_bulk_delete=False,
        disable_tagging=False,
        copy_if_not_exists="multipart",
        request_payer=False,
        credential_provider=lambda: credential,
        client_options=client,
        retry_config=retry,
    )


def side_by_side(act: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result | StorageError]:
    """What ``act`` makes of each item, in order, or the ``StorageError`` that it raises."""

    def outcome(item: Item) -> Result | StorageError:
        try:
            return act(item)
        except StorageError as error:
            return error

    if len(items) <= 1:
        yield from map(outcome, items)
    else:
        with ThreadPoolExecutor(min(AT_ONCE, len(items)), thread_name_prefix="s3") as threads:
            yield from threads.map(outcome, items)


def s3_error(code: str, status: int, place: str) -> StorageError:
    """The error of our tree for an answer: its code (may be empty), its HTTP status, and where it happened."""
    code = code or BY_STATUS.get(status, "")
    if status == 412 or code == "PreconditionFailed":  # the code alone where a 200 was on its way already
        return DestinationOccupied(f"{place} exists already")
    if reason := REFUSALS.get(code):
        return StorageRefused(f"{place}: {reason}")
    if reason := NO_SUCH_KEY.get(code):
        return PathUnusable(f"{place}: {reason}")
    if code in CORRUPTED:
        return CopyNotProven(f"{place}: other bytes arrived than were sent ({code})")
    reason = EXPLANATIONS.get(code) or f"the server answered {status} {code}".rstrip()
    kind = StorageRefused if 400 <= status < 500 and status not in PASSING else StorageUnavailable
    return kind(f"{place}: {reason}")


def no_answer(place: str) -> StorageUnavailable:
    """The error for a server that gives no answer."""
    return StorageUnavailable(f"{place}: the server does not answer: check endpoint_url and the network")


@contextmanager
def s3_errors(place: str) -> Iterator[None]:
    """Raise what the library reports within the block as a ``StorageError`` about ``place``."""
    try:
        yield
    except FileNotFoundError as error:
        if is_about_the_bucket(error):
            raise s3_error("NoSuchBucket", 404, place) from error
        raise StorageRefused(f"{place}: it is not there") from error
    except AlreadyExistsError as error:
        # The library calls every 409 so; that is a race with another request, after which the key may still be free.
        status = 409 if _found(_STATUS, error) == "409" else 412
        raise s3_error(_found(_CODE, error), status, place) from error
    except PreconditionError as error:
        raise StorageUnavailable(f"{place}: it was changed while it was read") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise s3_error(_found(_CODE, error), 403, place) from error
    except BaseError as error:
        raise _as_storage_error(error, place) from error
    except BaseException as error:
        # The library panicked over an answer. That class is no Exception, and can't be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise StorageUnavailable(f"{place}: the server gave an answer that makes no sense: {error}") from error


def is_about_the_bucket(error: FileNotFoundError) -> bool:
    """Whether it is the whole bucket that is missing."""
    return _found(_CODE, error) == "NoSuchBucket"


def _as_storage_error(error: BaseError, place: str) -> StorageError:
    if "redirect without LOCATION" in str(error):
        return s3_error("PermanentRedirect", 301, place)
    code, status = _found(_CODE, error), _found(_STATUS, error)
    return s3_error(code, int(status or 200), place) if code or status else no_answer(place)


def _found(pattern: re.Pattern[str], error: Exception) -> str:
    found = pattern.search(str(error))
    return found[1] if found else ""
