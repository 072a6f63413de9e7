"""Signatures, against the examples of Amazon's own documentation; that servers accept them the storage's tests show."""

from datetime import UTC, datetime

import pytest
from botocore import auth

from streamweave.storage.s3.connection import S3Connection
from streamweave.storage.s3.publication import percent_encoded, signed_headers

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


@pytest.fixture(autouse=True)
def then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "get_current_datetime", lambda: THEN)


def signature(method: str, url: str, headers: dict[str, str]) -> str:
    signed = signed_headers(EXAMPLE, method, f"{EXAMPLE.url}{url}", headers, b"")
    return signed["Authorization"].rpartition("Signature=")[2]


def test_a_request_for_an_object() -> None:
    expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert signature("GET", "/test.txt", {"Range": "bytes=0-9"}) == expected


def test_a_request_with_a_field_without_value() -> None:
    expected = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    assert signature("GET", "/?lifecycle=", {}) == expected


def test_a_request_with_a_query() -> None:
    expected = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    assert signature("GET", "/?max-keys=2&prefix=J", {}) == expected


def test_only_what_is_safe_is_not_encoded() -> None:
    assert percent_encoded("aZ9-._~ /+%ä") == "aZ9-._~%20%2F%2B%25%C3%A4"
    assert percent_encoded("a/b", keep="/") == "a/b"
