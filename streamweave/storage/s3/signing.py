"""Signature Version 4, by which S3 knows who asks.

Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)".
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

from streamweave.storage.s3.connection import S3Connection

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
