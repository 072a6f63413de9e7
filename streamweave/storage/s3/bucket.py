"""The objects of a bucket, through obstore: put with their SHA-256, which the server checks, got by ranges, listed."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.store import S3Store

from streamweave.errors import StorageRefused
from streamweave.storage.s3.connection import SCHEME, S3Connection
from streamweave.storage.s3.faults import is_about_the_bucket, s3_errors
from streamweave.storage.s3.patience import Patience

if TYPE_CHECKING:  # the library has these names for type checkers only
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Credential

KEYS_AT_ONCE = 1000  # a page of S3
ENCRYPTION = ("AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_")


class Bucket:
    """Every method raises ``StorageError`` with the address it is about."""

    def __init__(self, connection: S3Connection, patience: Patience) -> None:
        self._bucket = connection.bucket
        self._store = _store(connection, patience)

    def put(self, key: str, content: bytes) -> None:
        """Put an object, whatever stands there."""
        with s3_errors(self.address(key)):
            obstore.put(self._store, key, content, use_multipart=False)

    def create(self, key: str, content: bytes) -> None:
        """Put an object where none stands. Raises ``DestinationOccupied``."""
        with s3_errors(self.address(key)):
            obstore.put(self._store, key, content, use_multipart=False, mode="create")

    def find(self, key: str) -> "ObjectMeta | None":
        """What is known of an object, or None; S3 doesn't say here whether it is the whole bucket that is missing."""
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
        """Whether there is any such object."""
        return next(self.below(prefix), None) is not None

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; it is fine if there are none."""
        if gone := list(keys):
            with s3_errors(self.address(_common(gone))):
                obstore.delete(self._store, gone)

    def address(self, key: str) -> str:
        """How a person names the object."""
        return f"{SCHEME}{self._bucket}/{key}"


def _common(keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else posixpath.commonpath(keys)


def _store(connection: S3Connection, patience: Patience) -> S3Store:
    """What AWS_ variables of the environment could otherwise decide is given here, or refused: ``StorageRefused``.

    The library reads them by itself. Those about encryption can't be overruled; they would hold for what it puts, but
    not for what is composed.
    """
    if told := sorted(name for name in os.environ if name.startswith(ENCRYPTION)):
        raise StorageRefused(
            f"{connection.place}: {told[0]} is set in the environment, and would encrypt some objects and not others; "
            "unset it, and let the bucket encrypt what comes in"
        )
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
        credential_provider=lambda: _credential(connection),
        client_options=client,
        retry_config=retry,
    )


def _credential(connection: S3Connection) -> "S3Credential":
    return {
        "access_key_id": connection.access_key_id,
        "secret_access_key": connection.secret_access_key,
        "token": None,
        "expires_at": None,
    }
