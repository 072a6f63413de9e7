"""How a bucket is reached, as whom, how long its server is waited for, and what S3 takes as a key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from streamweave.errors import InvalidInput, PathUnusable, StorageRefused
from streamweave.storage.safe_path import path_components
from streamweave.validation import CONTROL, LONGEST_TEXT, Rule, checked, flag, require, shaped, sound, text

LONGEST_KEY = 1024  # bytes in UTF-8: the limit of S3
# Listings are XML 1.0, which can't hold them (its section 2.2), and proxies take offence at the others.
_UNLISTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
SCHEME = "s3://"
DEFAULT_REGION = "us-east-1"
SECRET = "secret_access_key"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # Amazon's rule for names of general purpose buckets
_REGION = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class S3Connection:
    """A prefix of a bucket (empty for the whole bucket), its server, and the key pair to sign with.

    ``url`` is the bucket's own address: both clients, the library's and ours, take it from here.
    """

    bucket: str
    prefix: str
    url: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    @property
    def place(self) -> str:
        """How a person names it: ``s3://bucket/prefix``."""
        return SCHEME + "/".join(filter(None, (self.bucket, self.prefix)))


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds; ``silent_seconds`` between two pieces of an answer. Retries are spaced twice as far each time."""

    connect_seconds: float = 10
    silent_seconds: float = 60
    request_seconds: float = 600
    retries: int = 4
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 10

    def pause_seconds(self, retry: int) -> float:
        """The pause before a retry, counted from 0."""
        return min(self.first_pause_seconds * (1 << retry), self.longest_pause_seconds)

    @property
    def longest(self) -> timedelta:
        """How long one request and all its retries may take."""
        return timedelta(seconds=self.request_seconds)


PATIENCE = Patience()


def connection_of(base_path: str, config: Mapping[str, Any], secret_access_key: str) -> S3Connection:
    """The connection that a storage location's fields describe. Raises ``InvalidInput``."""
    bucket, _, prefix = s3_base_path("base_path", base_path).removeprefix(SCHEME).partition("/")
    fields = checked_config(config)
    region = fields.get("region", DEFAULT_REGION)
    endpoint_url = fields.get("endpoint_url")
    return S3Connection(
        bucket=bucket,
        prefix=prefix,
        url=_bucket_url(bucket, region, endpoint_url, path_style=fields.get("path_style", endpoint_url is not None)),
        region=region,
        access_key_id=fields["access_key_id"],
        secret_access_key=secret_access_key,
    )


@shaped(
    type="string",
    maxLength=LONGEST_TEXT,
    pattern=sound(CONTROL, besides=r"(?=s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/|$))"),
)
def s3_base_path(field: str, value: Any) -> str:
    """``s3://bucket/prefix`` without a slash at its end; the prefix may be missing."""
    path: str = text()(field, value)
    bucket, _, prefix = path.removeprefix(SCHEME).rstrip("/").partition("/")
    if not path.startswith(SCHEME) or not _BUCKET.fullmatch(bucket):
        raise InvalidInput(field, "must be s3://bucket/prefix")
    if prefix and (problem := key_problem(prefix)):
        raise InvalidInput(field, f"its prefix {problem}")
    return SCHEME + "/".join(filter(None, (bucket, prefix)))


def checked_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A ``connection_config`` by its rules; the secret may be missing from it. Raises ``InvalidInput``."""
    try:
        fields = checked(RULES, config)
        require(fields, "access_key_id")
        _check_encryption(fields)
    except InvalidInput as error:
        raise InvalidInput(f"connection_config.{error.field}", error.problem) from error
    return fields


def _check_encryption(fields: Mapping[str, Any]) -> None:
    if fields.get("endpoint_url", "").startswith("http:") and not fields.get("allow_http"):
        raise InvalidInput("endpoint_url", "is not encrypted: use https, or set allow_http")


def _endpoint_url(field: str, value: Any) -> str:
    url: str = text(longest=500)(field, value)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(field, "must be an address like https://s3.example.org")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidInput(field, "must be scheme, host, and if need be port and path, nothing else")
    return url.rstrip("/")


def _region(field: str, value: Any) -> str:
    region: str = text()(field, value)
    if not _REGION.fullmatch(region):
        raise InvalidInput(field, "must be a region's name like eu-central-1")
    return region


RULES: dict[str, Rule] = {
    "endpoint_url": _endpoint_url,
    "region": _region,
    "access_key_id": text(longest=128),
    SECRET: text(longest=256),
    "allow_http": flag,
    "path_style": flag,
}


def _bucket_url(bucket: str, region: str, endpoint_url: str | None, *, path_style: bool) -> str:
    endpoint = endpoint_url or f"https://s3.{region}.amazonaws.com"
    if path_style or "." in bucket:  # a dot in the host's name would not match the server's certificate
        return f"{endpoint}/{bucket}"
    scheme, _, host = endpoint.partition("://")
    return f"{scheme}://{bucket}.{host}"


def key_problem(key: str) -> str | None:
    """Why ``key`` can't be one, or None if it can."""
    try:
        path_components(key)
    except StorageRefused:
        return "must not hold empty parts, '.' or '..'"
    if _UNLISTABLE.search(key):
        return "must not hold control characters"
    if (length := len(key.encode())) > LONGEST_KEY:
        return f"has {length} bytes in UTF-8; S3 takes at most {LONGEST_KEY}"
    return None


def checked_key(prefix: str, path: str) -> str:
    """The key of ``path`` below ``prefix``.

    Raises ``StorageRefused`` for a path that leads out of it, and ``PathUnusable`` for one that S3 takes as no key.
    """
    path_components(path)
    key = f"{prefix}/{path}" if prefix else path
    if problem := key_problem(key):
        raise PathUnusable(f"{path!r} can't be stored: the key {key!r} {problem}")
    return key
