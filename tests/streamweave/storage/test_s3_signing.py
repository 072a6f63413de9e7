"""Signatures, against the examples of Amazon's own documentation; that servers accept them the storage's tests show."""

from datetime import UTC, datetime

from streamweave.storage.s3.composition import percent_encoded, signed_headers
from streamweave.storage.s3.connection import S3Connection

# Amazon S3 API Reference, "Examples: Signature Calculations"
EXAMPLE = S3Connection(
    bucket="examplebucket",
    prefix="",
    url="https://examplebucket.s3.amazonaws.com",
    region="us-east-1",
    access_key_id="AKIAIOSFODNN7EXAMPLE",
    secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)
THEN = datetime(2013, 5, 24, tzinfo=UTC)


def signature(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> str:
    signed = signed_headers(EXAMPLE, method, f"{EXAMPLE.url}{url}", headers, body, THEN)
    return signed["authorization"].rpartition("Signature=")[2]


def test_a_request_for_an_object() -> None:
    expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert signature("GET", "/test.txt", {"Range": "bytes=0-9"}) == expected


def test_a_request_that_brings_an_object() -> None:
    headers = {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    expected = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    assert signature("PUT", "/test%24file.text", headers, b"Welcome to Amazon S3.") == expected


def test_a_request_with_a_query() -> None:
    expected = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    assert signature("GET", "/?max-keys=2&prefix=J", {}) == expected


def test_only_what_is_safe_stands_for_itself() -> None:
    assert percent_encoded("aZ9-._~ /+%ä") == "aZ9-._~%20%2F%2B%25%C3%A4"
    assert percent_encoded("a/b", keep="/") == "a/b"
