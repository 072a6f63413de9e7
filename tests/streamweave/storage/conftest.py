"""A server that speaks S3: moto's, on a wire that tests may watch, spoil and cut."""

import hashlib
import io
import json
import threading
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode
from uuid import UUID

import pytest
from moto import settings as moto_settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import FakeBucket, s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

from streamweave.storage.marks import Mark
from streamweave.storage.s3.connection import Patience, S3Connection
from streamweave.storage.s3.storage import S3Storage

MARK = Mark(UUID(int=1), UUID(int=2), datetime(2026, 3, 1, tzinfo=UTC))

NEEDED = [
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
]
IMPATIENT = Patience(silent_seconds=5, request_seconds=10, retries=2, first_pause_seconds=0.01)

Wsgi = dict[str, Any]


@dataclass
class Request:
    """A request as it came in."""

    method: str
    key: str
    query: str
    headers: dict[str, str]
    body: bytes

    def is_completion(self) -> bool:
        return self.method == "POST" and self.query.startswith("uploadId=")


@dataclass
class Fault:
    """What happens to the next ``times`` requests that ``hits``: another answer, perhaps ``after`` the server has done
    what it was asked for, or a body that is spoilt on its way.
    """

    hits: Callable[[Request], bool]
    times: int
    status: int = 0
    answer: bytes = b""
    after: bool = False


class Handler(WSGIRequestHandler):
    """One that leaves no lines on standard error."""

    def log(self, *_: object) -> None:
        pass


class S3Server:
    """Buckets on loopback. Beyond what moto does it checks the SHA-256 that a body comes with, as S3 itself does."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.heeds_conditions = True
        self.access_key_id, self.secret_access_key = "", ""
        self._moto = create_backend_app("s3")
        self._one_at_a_time = threading.Lock()  # moto looks and writes in two steps, S3 in one
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def make_bucket(self, name: str) -> FakeBucket:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(name, "us-east-1")

    def drop_bucket(self, name: str) -> None:
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        backend.head_bucket(name).keys.clear()
        backend.delete_bucket(name)

    def connection(self, bucket: str, prefix: str = "lab/archive", **changes: Any) -> S3Connection:
        """How to reach a bucket of this server."""
        keys = {"access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key}
        return S3Connection(
            **{"bucket": bucket, "prefix": prefix, "url": f"{self.url}/{bucket}", "region": "eu-1"} | keys | changes
        )

    def fail(
        self,
        status: int,
        code: str,
        times: int = 100,
        hits: Callable[[Request], bool] = lambda _: True,
        *,
        after: bool = False,
    ) -> None:
        """Answer with an error."""
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.faults.append(Fault(hits, times, status, body, after))

    def answer(self, body: str, hits: Callable[[Request], bool], *, after: bool = False) -> None:
        """Give one answer of the test's own."""
        self.faults.append(Fault(hits, 1, 200, body.encode(), after))

    def spoil(self, hits: Callable[[Request], bool]) -> None:
        """Let one bit of one body tip over on its way."""
        self.faults.append(Fault(hits, 1))

    def __call__(self, environ: Wsgi, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _request(environ)
        self.requests.append(request)
        fault = self._fault(request)
        if fault and fault.status:
            if fault.after:
                self._serve(environ, request, lambda *_: None)
            return _answered(start_response, fault.status, fault.answer)
        if fault:
            request.body = request.body[:-1] + bytes([request.body[-1] ^ 1])
        told = request.headers.get("x-amz-checksum-sha256")
        if told and told != b64encode(hashlib.sha256(request.body).digest()).decode():
            return _answered(start_response, 400, b"<Error><Code>BadDigest</Code></Error>")
        return self._serve(environ, request, start_response)

    def _serve(self, environ: Wsgi, request: Request, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"] = io.BytesIO(request.body)
        if not self.heeds_conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        environ |= {name: _canonical(environ[name]) for name in ("RAW_URI", "REQUEST_URI")}
        environ["QUERY_STRING"] = environ["RAW_URI"].partition("?")[2]
        with self._one_at_a_time if "if-none-match" in request.headers else nullcontext():
            return list(self._moto(environ, start_response))

    def _fault(self, request: Request) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.hits(request):
                fault.times -= 1
                return fault
        return None


def _canonical(uri: str) -> str:
    """The same, with its query encoded as it is signed: to moto ``+`` and ``%20`` are not the same blank."""
    path, mark, query = uri.partition("?")
    return path + mark + urlencode(parse_qsl(query, keep_blank_values=True), quote_via=quote)


def _request(environ: Wsgi) -> Request:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    key = unquote(environ["RAW_URI"].partition("?")[0]).lstrip("/").partition("/")[2]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return Request(environ["REQUEST_METHOD"], key, environ["QUERY_STRING"], headers, body)


def _answered(start_response: Callable[..., Any], status: int, body: bytes) -> Iterable[bytes]:
    start_response(f"{status} Told", [("Content-Length", str(len(body))), ("Content-Type", "application/xml")])
    return [body]


@pytest.fixture(scope="session")
def running_s3_server() -> Iterator[S3Server]:
    """A server that knows one user, who may do what the documentation asks for, and checks all signatures."""
    server = S3Server()
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    iam.create_user("us-east-1", "streamweave")
    iam.put_user_policy(
        "streamweave",
        "everything",
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": NEEDED, "Resource": "*"}]}),
    )
    key = iam.create_access_key("streamweave")
    server.access_key_id, server.secret_access_key = key.access_key_id, key.secret_access_key
    before = moto_settings.INITIAL_NO_AUTH_ACTION_COUNT
    moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    yield server
    moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = before
    server.stop()


@pytest.fixture
def s3_server(running_s3_server: S3Server) -> S3Server:
    """The server, on an untroubled wire, with nothing noted yet."""
    running_s3_server.faults.clear()
    running_s3_server.requests.clear()
    running_s3_server.heeds_conditions = True
    return running_s3_server


@pytest.fixture
def bucket(s3_server: S3Server) -> FakeBucket:
    """An empty bucket."""
    return s3_server.make_bucket(f"archive-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def connection(s3_server: S3Server, bucket: FakeBucket) -> S3Connection:
    """The way to a prefix of that bucket."""
    return s3_server.connection(bucket.name)


@pytest.fixture
def open_s3(connection: S3Connection) -> Callable[[S3Connection], S3Storage]:
    """Opens a storage that gives up soon."""
    return lambda other: S3Storage(other, IMPATIENT)


@pytest.fixture
def s3_storage(connection: S3Connection) -> S3Storage:
    """A prepared location in that bucket."""
    storage = S3Storage(connection, IMPATIENT)
    storage.prepare(MARK, is_new=True)
    return storage
