"""What only a server that speaks S3 can show."""

import hashlib
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from bench import publish_one
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import settings as moto_settings
from moto.s3 import models as moto

from streamweave.errors import (
    CopyNotProven,
    DestinationOccupied,
    PathUnusable,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from streamweave.harvest.commit import publish
from streamweave.harvest.copy_verify import digest_of
from streamweave.storage.archive_paths import destination_path
from streamweave.storage.locations import StorageAnswer, StorageRefusal, try_storage
from streamweave.storage.marks import Mark
from streamweave.storage.s3 import publication, staging
from streamweave.storage.s3 import storage as s3
from streamweave.storage.s3.connection import S3Connection
from streamweave.storage.s3.storage import S3Storage

MARK = Mark(UUID(int=1), UUID(int=2), datetime(2026, 3, 1, tzinfo=UTC))

HOSTILE = ["ä/…/😀.tif", "e\u0301", "a b", "a+b&c=d;e", "50%", "%41", "a%20b", "#1", "~v2", ".hidden/.a", "[x]{y}^`|"]
HOSTILE += ["q'\"<&>", "x" * 900]
INCOMING = f"lab/archive/.streamweave/incoming/{MARK.catalog_id}"

Opener = Callable[[S3Connection], S3Storage]


def stage(storage: S3Storage, name: str, content: bytes = b"content") -> None:
    with storage.stage(name) as writer:
        writer.write(content)


def is_put_of_bytes(request: Any) -> bool:
    return request.method == "PUT" and "/incoming/" in request.key and not request.query


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 5 MiB, the least that S3 puts together."""
    monkeypatch.setattr(staging, "SMALLEST_PART_BYTES", 5 << 20)


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest files are put together by the server, as large ones are."""
    monkeypatch.setattr(publication, "SMALL_BYTES", 0)


def test_the_mark_the_staging_area_and_the_address_are_where_they_are_documented(
    s3_storage: S3Storage, bucket: Any
) -> None:
    stage(s3_storage, "t1")
    digest = hashlib.sha256(b"content").hexdigest()
    assert set(bucket.keys) == {"lab/archive/.streamweave/location", f"{INCOMING}/t1/000001-{digest}-last"}
    assert s3_storage.address("m/scan.tif") == f"s3://{bucket.name}/lab/archive/m/scan.tif"


def test_a_whole_bucket_can_be_a_location(connection: S3Connection, open_s3: Opener, bucket: Any) -> None:
    storage = open_s3(replace(connection, prefix=""))
    storage.prepare(MARK, is_new=True)
    stage(storage, "t1")
    publish_one(storage, "t1", "m/scan.tif")
    assert list(storage.paths()) == ["m/scan.tif"]
    assert storage.address("m/scan.tif") == f"s3://{bucket.name}/m/scan.tif"


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_names_survive(s3_storage: S3Storage, bucket: Any, path: str) -> None:
    stage(s3_storage, "t1", path.encode())
    publish_one(s3_storage, "t1", path)
    assert f"lab/archive/{path}" in bucket.keys
    assert list(s3_storage.paths()) == [path]
    assert b"".join(s3_storage.read(path)) == path.encode()


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=3).map("/".join))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_the_naming_makes_of_a_name_can_be_stored(s3_storage: S3Storage, source_path: str) -> None:
    path = destination_path(f"Microscope {uuid4()}", source_path, 1)
    stage(s3_storage, "t1")
    publish_one(s3_storage, "t1", path)
    assert path in list(s3_storage.paths())
    assert b"".join(s3_storage.read(path)) == b"content"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        *((path, PathUnusable) for path in ("a\nb", "\x7f", "a\ufffe")),
        *((path, StorageRefused) for path in (".streamweave/location", ".streamweave")),
    ],
)
def test_what_is_no_path_for_versions_is_refused(s3_storage: S3Storage, path: str, error: type[StorageError]) -> None:
    stage(s3_storage, "t1")
    with pytest.raises(error):
        publish_one(s3_storage, "t1", path)


def test_a_key_that_s3_does_not_take_is_refused_with_its_length(s3_storage: S3Storage) -> None:
    stage(s3_storage, "t1")
    longest = 1024 - len("lab/archive/")
    with pytest.raises(PathUnusable, match="has 1025 bytes in UTF-8; S3 takes at most 1024"):
        publish_one(s3_storage, "t1", "x" * (longest + 1))
    publish_one(s3_storage, "t1", "é" * (longest // 2))
    assert s3_storage.exists("é" * (longest // 2))


def test_a_large_file_goes_up_in_parts_and_comes_down_as_one(
    s3_storage: S3Storage, s3_server: Any, small_parts: None
) -> None:
    content = b"".join(bytes([number % 251]) * 65_536 for number in range(180))  # 11.25 MiB
    with s3_storage.stage("t1") as writer:
        for offset in range(0, len(content), 300_000):
            writer.write(content[offset : offset + 300_000])
    assert len([request for request in s3_server.requests if is_put_of_bytes(request)]) == 3
    assert hashlib.sha256(b"".join(s3_storage.read_staged("t1"))).digest() == hashlib.sha256(content).digest()
    publish_one(s3_storage, "t1", "m/large.raw")
    assert b"".join(s3_storage.read("m/large.raw")) == content
    assert b"".join(s3_storage.read("m/large.raw", 5_242_870, 20)) == content[5_242_870:5_242_890]
    assert s3_storage.staged_names() == []


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("missing", ["000001-", "000002-", "000003-"])
def test_a_file_that_is_being_swept_away_is_not_published_in_part(
    s3_storage: S3Storage, bucket: Any, missing: str
) -> None:
    stage(s3_storage, "t1", b"x" * (11 << 20))
    [key] = [key for key in bucket.keys if f"/t1/{missing}" in key]
    del bucket.keys[key]
    with pytest.raises(StorageUnavailable, match="is gone"):
        publish_one(s3_storage, "t1", "a")
    assert not s3_storage.exists("a")
    assert s3_storage.staged_names() == ["t1"]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [5 << 20, (5 << 20) + 1, 10 << 20])
def test_a_file_that_fills_its_parts_is_whole(s3_storage: S3Storage, size: int) -> None:
    stage(s3_storage, "t1", b"x" * size)
    publish_one(s3_storage, "t1", "a")
    assert sum(map(len, s3_storage.read("a"))) == size


def test_parts_grow_a_little_so_that_no_file_takes_much_memory() -> None:
    sizes = [staging.part_bytes(number) for number in (1, 1000, 1001, 2000, 2001, staging.MOST_PARTS)]
    assert sizes == [8 << 20, 8 << 20, 16 << 20, 16 << 20, 32 << 20, 32 << 20]
    assert sum(map(staging.part_bytes, range(1, staging.MOST_PARTS + 1))) > 5 << 40
    assert staging.MOST_PARTS <= publication.INGREDIENTS * publication.GROUP
    assert publication.GROUP * sizes[-1] < 5 << 30  # the most that S3 copies at once


@pytest.fixture
def tiny_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 2 bytes, of which the server takes 3 at a time."""
    monkeypatch.setattr(moto, "S3_UPLOAD_PART_MIN_SIZE", 1)
    monkeypatch.setattr(staging, "SMALLEST_PART_BYTES", 2)
    monkeypatch.setattr(publication, "INGREDIENTS", 3)
    monkeypatch.setattr(publication, "GROUP", 3)


@pytest.mark.usefixtures("tiny_parts")
@pytest.mark.parametrize("content", [b"0123456", b"0123456789abcdef"])
def test_a_file_of_more_parts_than_a_server_takes_is_put_together_in_groups(
    s3_storage: S3Storage, bucket: Any, content: bytes
) -> None:
    stage(s3_storage, "t1", content)
    publish_one(s3_storage, "t1", "a")
    assert b"".join(s3_storage.read("a")) == content
    assert set(bucket.keys) == {"lab/archive/.streamweave/location", "lab/archive/a"}


@pytest.mark.usefixtures("tiny_parts")
def test_a_file_in_groups_that_can_not_be_put_together_stays_staged(s3_storage: S3Storage, s3_server: Any) -> None:
    stage(s3_storage, "t1", b"0123456")
    s3_server.fail(503, "SlowDown", hits=lambda request: request.is_completion() and request.key.endswith("/a"))
    with pytest.raises(StorageUnavailable):
        publish_one(s3_storage, "t1", "a")
    assert not s3_storage.exists("a")
    s3_server.faults.clear()
    publish_one(s3_storage, "t1", "a")
    assert b"".join(s3_storage.read("a")) == b"0123456"


@pytest.mark.usefixtures("tiny_parts")
@pytest.mark.parametrize(("offset", "length"), [(0, None), (1, 4), (2, 2), (3, None), (6, 9), (9, None), (0, 0)])
def test_a_span_of_a_staged_file_may_lie_anywhere_in_its_parts(
    s3_storage: S3Storage, offset: int, length: int | None
) -> None:
    stage(s3_storage, "t1", b"0123456")
    end = None if length is None else offset + length
    assert b"".join(s3_storage.read_staged("t1", offset, length)) == b"0123456"[offset:end]


def test_a_small_file_takes_five_requests(s3_storage: S3Storage, s3_server: Any) -> None:
    contents = {f"t{number}": b"%d" % number for number in range(200)}
    s3_server.requests.clear()
    assert s3_storage.stage_whole(contents) == {}
    assert list(s3_storage.read_staged_whole(list(contents))) == list(contents.values())
    assert [request.method for request in s3_server.requests].count("PUT") == 200
    assert len(s3_server.requests) == 2 * 200
    assert s3_storage.publish_many({name: name for name in contents}) == {}
    assert len(s3_server.requests) == 5 * 200 + 1
    for request in s3_server.requests:
        if request.method == "PUT":
            assert request.headers["x-amz-checksum-sha256"] == b64encode(hashlib.sha256(request.body).digest()).decode()
            assert ("if-none-match" in request.headers) is ("/incoming/" not in request.key)


def test_a_small_file_whose_staged_bytes_have_changed_is_not_published(s3_storage: S3Storage, bucket: Any) -> None:
    s3_storage.stage_whole({"t1": b"content"})
    [key] = [key for key in bucket.keys if "/t1/" in key]
    bucket.keys[key].value = b"Content"
    with pytest.raises(CopyNotProven, match="holds other bytes than were staged"):
        publish_one(s3_storage, "t1", "a")
    assert not s3_storage.exists("a")
    del bucket.keys[key]
    with pytest.raises(StorageUnavailable, match="is gone"):
        publish_one(s3_storage, "t1", "a")


def test_bytes_that_are_spoilt_on_the_way_are_not_published(s3_storage: S3Storage, s3_server: Any) -> None:
    s3_storage.stage_whole({"t1": b"content"})
    s3_server.spoil(lambda request: request.method == "PUT" and request.key.endswith("/a"))
    with pytest.raises(CopyNotProven, match="other bytes arrived than were sent"):
        publish_one(s3_storage, "t1", "a")
    assert not s3_storage.exists("a")


def test_nothing_stays_of_small_files_that_could_not_be_stored(s3_storage: S3Storage, s3_server: Any) -> None:
    s3_server.fail(500, "InternalError", hits=lambda request: "/t1/" in request.key and request.method == "PUT")
    s3_server.fail(500, "InternalError", hits=lambda request: "/t2/" in request.key, times=3, after=True)
    failed = s3_storage.stage_whole({"t1": b"1", "t2": b"2", "t3": b"3"})
    assert {name: type(error) for name, error in failed.items()} == dict.fromkeys(["t1", "t2"], StorageUnavailable)
    assert s3_storage.staged_names() == ["t3"]


def test_what_was_forgotten_is_found_by_looking(
    s3_storage: S3Storage, connection: S3Connection, open_s3: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "REMEMBERED", 1)
    s3_storage.stage_whole({"t1": b"1", "t2": b"2"})
    assert list(checked(open_s3(connection)).read_staged_whole(["t1", "t2"])) == [b"1", b"2"]
    assert s3_storage.publish_many({"t1": "a", "t2": "b"}) == {}
    assert sorted(s3_storage.paths()) == ["a", "b"]


def test_what_may_be_of_two_attempts_is_not_published(
    s3_storage: S3Storage, connection: S3Connection, open_s3: Opener
) -> None:
    s3_storage.stage_whole({"t1": b"first"})
    s3_storage.stage_whole({"t1": b"second"})
    with pytest.raises(StorageUnavailable, match="is gone"):
        publish_one(checked(open_s3(connection)), "t1", "a")
    publish_one(s3_storage, "t1", "a")
    assert b"".join(s3_storage.read("a")) == b"second"


def test_a_location_without_its_mark_takes_no_small_files(connection: S3Connection, open_s3: Opener) -> None:
    failed = open_s3(connection).stage_whole({"t1": b"1", "t2": b"2"})
    assert {type(error) for error in failed.values()} == {StorageRefused}
    assert failed.keys() == {"t1", "t2"}


@pytest.mark.parametrize("name", ["AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_KMS_KEY_ID", "AWS_SSE_CUSTOMER_KEY_BASE64"])
def test_encryption_by_the_environment_is_refused(
    connection: S3Connection, open_s3: Opener, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "aws:kms")
    with pytest.raises(StorageRefused, match=f"{name} is set in the environment"):
        open_s3(connection)


def test_an_answer_about_keys_that_nobody_asked_for_is_the_servers_fault(s3_storage: S3Storage, s3_server: Any) -> None:
    stage(s3_storage, "t1")
    s3_server.answer(
        "<DeleteResult><Error><Key>other</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>",
        lambda request: request.query.startswith("delete"),
    )
    with pytest.raises(StorageUnavailable, match="an answer that makes no sense"):
        s3_storage.discard("t1")


def test_every_part_is_sent_with_its_checksum(s3_storage: S3Storage, s3_server: Any) -> None:
    stage(s3_storage, "t1")
    [put] = [request for request in s3_server.requests if is_put_of_bytes(request)]
    assert put.headers["x-amz-checksum-sha256"] == b64encode(hashlib.sha256(b"content").digest()).decode()


def test_bytes_that_are_spoilt_on_the_way_are_not_staged(s3_storage: S3Storage, s3_server: Any) -> None:
    s3_server.spoil(is_put_of_bytes)
    with pytest.raises(CopyNotProven, match="other bytes arrived than were sent"):
        stage(s3_storage, "t1")
    assert s3_storage.staged_names() == []


@pytest.mark.usefixtures("small_parts")
def test_a_part_that_can_not_be_stored_fails_the_whole_file(s3_storage: S3Storage, s3_server: Any) -> None:
    s3_server.spoil(lambda request: is_put_of_bytes(request) and "/000001-" in request.key)
    with pytest.raises(CopyNotProven):
        stage(s3_storage, "t1", b"x" * (11 << 20))
    assert s3_storage.staged_names() == []


@pytest.mark.usefixtures("composed")
def test_a_copy_that_the_server_reports_to_be_of_other_bytes_is_not_published(
    s3_storage: S3Storage, s3_server: Any
) -> None:
    stage(s3_storage, "t1")
    other = b64encode(hashlib.sha256(b"other").digest()).decode()
    s3_server.answer(
        f"<CopyPartResult><ETag>x</ETag><ChecksumSHA256>{other}</ChecksumSHA256></CopyPartResult>",
        lambda request: "x-amz-copy-source" in request.headers,
    )
    with pytest.raises(CopyNotProven, match="copied other bytes than were staged"):
        publish_one(s3_storage, "t1", "a")
    assert not s3_storage.exists("a")
    assert list(s3_storage._composer.unfinished("lab")) == []


@pytest.mark.usefixtures("composed")
def test_checksums_that_the_server_reports_are_what_it_is_asked_to_complete(
    s3_storage: S3Storage, s3_server: Any
) -> None:
    stage(s3_storage, "t1")
    digest = b64encode(hashlib.sha256(b"content").digest()).decode()
    s3_server.answer(
        f'<CopyPartResult><ETag>"{hashlib.md5(b"content").hexdigest()}"</ETag>'
        f"<ChecksumSHA256>{digest}</ChecksumSHA256></CopyPartResult>",
        lambda request: "x-amz-copy-source" in request.headers,
        after=True,
    )
    publish_one(s3_storage, "t1", "a")
    [completion] = [request for request in s3_server.requests if request.is_completion() and request.key.endswith("/a")]
    assert f"<ChecksumSHA256>{digest}</ChecksumSHA256>".encode() in completion.body


@pytest.mark.parametrize("small_bytes", [0, 1 << 20], ids=["composed", "put"])
def test_of_two_publishers_of_one_path_who_have_both_looked_one_wins(
    connection: S3Connection, open_s3: Opener, s3_server: Any, monkeypatch: pytest.MonkeyPatch, small_bytes: int
) -> None:
    monkeypatch.setattr(publication, "SMALL_BYTES", small_bytes)
    both_have_looked = threading.Barrier(2)

    def look(publisher: publication.Publisher, key: str) -> None:
        both_have_looked.wait(30)

    monkeypatch.setattr(publication.Publisher, "_check_tree", look)

    def publish(number: int) -> bool:
        storage = checked(open_s3(connection))
        stage(storage, f"t{number}", b"content %d" % number)
        try:
            publish_one(storage, f"t{number}", "one/place")
        except DestinationOccupied:
            return False
        return True

    open_s3(connection).prepare(MARK, is_new=True)
    with ThreadPoolExecutor(2) as threads:
        won = list(threads.map(publish, range(2)))
    assert sorted(won) == [False, True]
    storage = checked(open_s3(connection))
    assert b"".join(storage.read("one/place")) == b"content %d" % won.index(True)
    assert storage.staged_names() == [f"t{won.index(False)}"]


def test_a_server_that_replaces_what_stands_is_refused(
    connection: S3Connection, open_s3: Opener, s3_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moto_settings, "INITIAL_NO_AUTH_ACTION_COUNT", float("inf"))
    s3_server.heeds_conditions = False
    with pytest.raises(StorageRefused, match="replaces objects although it is told not to"):
        open_s3(connection).prepare(MARK, is_new=True)


@pytest.mark.usefixtures("composed")
def test_nothing_stands_under_a_final_name_when_publishing_is_cut_off_and_what_is_left_is_swept(
    s3_storage: S3Storage, s3_server: Any, bucket: Any
) -> None:
    stage(s3_storage, "t1")
    s3_server.fail(500, "InternalError", hits=lambda request: request.is_completion() or request.method == "DELETE")
    with pytest.raises(StorageUnavailable):
        publish_one(s3_storage, "t1", "a/b")
    s3_server.faults.clear()
    assert not s3_storage.exists("a/b")
    assert s3_storage.staged_names() == ["t1"]
    assert len(bucket.multiparts) == 1
    s3_storage.prepare(MARK)  # the server says that it was begun in 2010
    assert not bucket.multiparts
    publish_one(s3_storage, "t1", "a/b")


def test_what_somebody_may_be_publishing_at_this_moment_is_not_swept(s3_storage: S3Storage, s3_server: Any) -> None:
    begun = [datetime.now(UTC) - age for age in (timedelta(hours=23), timedelta(hours=25))]
    listing = "".join(
        f"<Upload><Key>lab/archive/a+b</Key><UploadId>u{number}</UploadId><Initiated>{time:%FT%TZ}</Initiated></Upload>"
        for number, time in enumerate(begun)
    )
    s3_server.answer(
        f"<R><EncodingType>url</EncodingType>{listing}</R>",
        lambda request: request.method == "GET" and request.query.endswith("uploads="),
    )
    s3_server.answer("", lambda request: request.query == "uploadId=u1")
    s3_storage.prepare(MARK)
    given_up = [
        (request.key, request.query)
        for request in s3_server.requests
        if request.query in ("uploadId=u0", "uploadId=u1")
    ]
    assert given_up == [("lab/archive/a b", "uploadId=u1")]


@pytest.mark.usefixtures("composed")
def test_publishing_whose_answer_was_lost_is_asked_for_again(s3_storage: S3Storage, s3_server: Any) -> None:
    stage(s3_storage, "t1")
    s3_server.fail(504, "", times=1, hits=lambda request: request.is_completion(), after=True)
    publish_one(s3_storage, "t1", "a")
    assert b"".join(s3_storage.read("a")) == b"content"
    assert s3_storage.staged_names() == []


@pytest.mark.usefixtures("composed")
@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (503, "SlowDown", StorageUnavailable, "asks to slow down"),
        (500, "InternalError", StorageUnavailable, "answered 500"),
        (507, "XMinioStorageFull", StorageUnavailable, "the storage is full"),
        (403, "AccessDenied", StorageRefused, "access denied"),
        (403, "RequestTimeTooSkewed", StorageRefused, "set the clocks"),
        (400, "AuthorizationHeaderMalformed", StorageRefused, "another region"),
        (400, "InvalidRequest", StorageRefused, "answered 400 InvalidRequest"),
        (501, "NotImplemented", StorageRefused, "conditional writes"),
    ],
)
def test_what_the_server_refuses_is_told_with_the_place(
    s3_storage: S3Storage, s3_server: Any, bucket: Any, status: int, code: str, kind: type[StorageError], words: str
) -> None:
    stage(s3_storage, "t1")
    s3_server.fail(status, code)
    for attempt in (
        lambda: stage(s3_storage, "t2"),
        lambda: list(s3_storage.read_staged("t1")),
        lambda: list(s3_storage.paths()),
        lambda: s3_storage.exists("a"),
        lambda: s3_storage.discard("t1"),
    ):
        with pytest.raises(kind) as refusal:
            attempt()
        assert bucket.name in str(refusal.value)
    s3_server.faults.clear()
    s3_server.fail(status, code, hits=lambda request: request.is_completion())
    with pytest.raises(kind, match=words) as refusal:
        publish_one(s3_storage, "t1", "a/b")
    assert f"s3://{bucket.name}/lab/archive/a/b" in str(refusal.value)


@pytest.mark.usefixtures("composed")
def test_a_server_that_is_busy_for_a_moment_is_asked_again(s3_storage: S3Storage, s3_server: Any) -> None:
    for hits in (is_put_of_bytes, lambda request: request.is_completion(), lambda request: request.method == "GET"):
        s3_server.fail(503, "SlowDown", times=2, hits=hits)
    stage(s3_storage, "t1")
    publish_one(s3_storage, "t1", "a")
    assert b"".join(s3_storage.read("a")) == b"content"
    assert all(fault.times == 0 for fault in s3_server.faults)


@pytest.mark.usefixtures("composed")
@pytest.mark.parametrize("told", ["", "<html/>", "no XML", "<Error xmlns='urn:s3'><Code>InternalError</Code></Error>"])
def test_an_answer_that_does_not_say_that_a_file_is_complete_publishes_nothing(
    s3_storage: S3Storage, s3_server: Any, told: str
) -> None:
    stage(s3_storage, "t1")
    for _ in range(3):
        s3_server.answer(told, lambda request: request.is_completion())
    with pytest.raises(StorageUnavailable):
        publish_one(s3_storage, "t1", "a")
    assert not s3_storage.exists("a")
    assert s3_storage.staged_names() == ["t1"]


@pytest.mark.usefixtures("composed")
def test_a_refusal_in_an_answer_that_began_well_tells_what_stands_there(s3_storage: S3Storage, s3_server: Any) -> None:
    stage(s3_storage, "t1")
    s3_server.fail(200, "PreconditionFailed", hits=lambda request: request.is_completion())
    with pytest.raises(DestinationOccupied):
        publish_one(s3_storage, "t1", "a")


@pytest.mark.parametrize("small_bytes", [0, 1 << 20], ids=["composed", "put"])
def test_a_race_that_the_server_breaks_off_is_no_file_that_stands_there(
    s3_storage: S3Storage, s3_server: Any, monkeypatch: pytest.MonkeyPatch, small_bytes: int
) -> None:
    monkeypatch.setattr(publication, "SMALL_BYTES", small_bytes)
    stage(s3_storage, "t1")
    s3_server.fail(409, "ConditionalRequestConflict", hits=lambda request: "if-none-match" in request.headers)
    with pytest.raises(StorageUnavailable, match="another request is writing there"):
        publish_one(s3_storage, "t1", "a")
    s3_server.faults.clear()
    s3_server.fail(409, "OperationAborted", hits=is_put_of_bytes)
    with pytest.raises(StorageUnavailable, match="409"):
        stage(s3_storage, "t2")


def test_a_published_file_stays_published_when_its_staged_parts_can_not_be_removed(
    s3_storage: S3Storage, s3_server: Any
) -> None:
    stage(s3_storage, "t1")
    s3_server.fail(500, "InternalError", hits=lambda request: request.query.startswith("delete"))
    publish_one(s3_storage, "t1", "a")
    assert b"".join(s3_storage.read("a")) == b"content"
    assert s3_storage.staged_names() == ["t1"]


def test_what_may_not_be_removed_is_told_as_such(s3_storage: S3Storage, s3_server: Any, bucket: Any) -> None:
    stage(s3_storage, "t1")
    [key] = [key for key in bucket.keys if "/t1/" in key]
    s3_server.answer(
        f"<DeleteResult><Error><Key>{key}</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>",
        lambda request: request.query.startswith("delete"),
    )
    with pytest.raises(StorageRefused, match="access denied"):
        s3_storage.discard("t1")


@pytest.mark.usefixtures("composed")
def test_a_server_that_copies_only_without_checksums_is_asked_without(
    connection: S3Connection, open_s3: Opener, s3_server: Any
) -> None:
    begun_with_checksums: list[bool] = []

    def is_copy_into_an_upload_with_checksums(request: Any) -> bool:
        if request.query == "uploads=" and request.method == "POST":
            begun_with_checksums.append("x-amz-checksum-algorithm" in request.headers)
        return "x-amz-copy-source" in request.headers and begun_with_checksums[-1]

    s3_server.fail(400, "InvalidArgument", hits=is_copy_into_an_upload_with_checksums)
    storage = open_s3(connection)
    storage.prepare(MARK, is_new=True)
    stage(storage, "t1")
    publish_one(storage, "t1", "a")
    assert b"".join(storage.read("a")) == b"content"
    assert begun_with_checksums == [True, False, False]
    assert list(storage._composer.unfinished("lab")) == []


@pytest.mark.usefixtures("composed")
def test_an_error_in_an_answer_that_began_well_is_an_error(s3_storage: S3Storage, s3_server: Any) -> None:
    stage(s3_storage, "t1")
    s3_server.fail(200, "InternalError", hits=lambda request: request.is_completion())
    with pytest.raises(StorageUnavailable):
        publish_one(s3_storage, "t1", "a")
    s3_server.faults.clear()
    assert not s3_storage.exists("a")


def test_a_bucket_that_is_missing_is_refused_everywhere_rather_than_empty(
    s3_storage: S3Storage, s3_server: Any, bucket: Any
) -> None:
    s3_server.drop_bucket(bucket.name)
    for question in (
        lambda: list(s3_storage.paths()),
        lambda: s3_storage.exists("a"),
        s3_storage.staged_names,
        lambda: stage(s3_storage, "t1"),
        lambda: s3_storage.prepare(MARK, is_new=True),
    ):
        with pytest.raises(StorageRefused, match="there is no such bucket: create it"):
            question()


def test_a_bucket_that_was_emptied_is_not_the_place_it_was(
    s3_storage: S3Storage, connection: S3Connection, open_s3: Opener, bucket: Any
) -> None:
    bucket.keys.clear()
    for question in (
        lambda: list(s3_storage.paths()),
        lambda: s3_storage.exists("a"),
        s3_storage.staged_names,
        lambda: s3_storage.prepare(MARK),
        lambda: s3_storage.check_mark(MARK),
    ):
        with pytest.raises(StorageRefused, match="is not the place it was"):
            question()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"secret_access_key": "wrong"}, "check secret_access_key"),
        ({"access_key_id": "AKIANOBODY"}, "check access_key_id"),
    ],
)
def test_a_wrong_key_is_refused_by_what_is_wrong(
    connection: S3Connection, open_s3: Opener, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(StorageRefused, match=words):
        open_s3(replace(connection, **changes)).prepare(MARK, is_new=True)


@pytest.mark.usefixtures("composed")
@pytest.mark.parametrize("told", ["<html/>", "no XML"])
def test_a_server_that_speaks_something_else_is_refused(s3_storage: S3Storage, s3_server: Any, told: str) -> None:
    stage(s3_storage, "t1")
    for _ in range(2):
        s3_server.answer(told, lambda request: request.method == "POST")
    with pytest.raises(StorageRefused, match="is endpoint_url the address of an S3 server"):
        publish_one(s3_storage, "t1", "a")


def test_a_server_that_does_not_answer_is_unavailable(connection: S3Connection, open_s3: Opener, bucket: Any) -> None:
    nobody = open_s3(replace(connection, url=f"http://127.0.0.1:1/{bucket.name}"))
    with pytest.raises(StorageUnavailable, match="does not answer"):
        nobody.prepare(MARK, is_new=True)
    with pytest.raises(StorageUnavailable, match="does not answer"):
        next(nobody._composer.unfinished("lab"))


def test_the_environment_does_not_decide_who_asks_whom(
    connection: S3Connection, open_s3: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"AWS_ACCESS_KEY_ID": "x", "AWS_SESSION_TOKEN": "x", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
    told |= {"AWS_SKIP_SIGNATURE": "true", "AWS_REGION": "elsewhere", "AWS_COPY_IF_NOT_EXISTS": "no such way"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    storage = open_s3(connection)
    storage.prepare(MARK, is_new=True)
    stage(storage, "t1")
    publish_one(storage, "t1", "a")
    assert storage.exists("a")


def test_the_connection_test_leaves_nothing_behind(
    s3_storage: S3Storage, connection: S3Connection, open_s3: Opener, s3_server: Any, bucket: Any
) -> None:
    assert isinstance(try_storage(lambda: s3_storage), StorageAnswer)
    assert set(bucket.keys) == {"lab/archive/.streamweave/location"}
    bucket.keys.clear()
    assert "not the place it was" in detail(try_storage(lambda: checked(open_s3(connection))))
    s3_server.drop_bucket(bucket.name)
    assert "no such bucket" in detail(try_storage(lambda: checked(open_s3(connection))))


def checked(storage: S3Storage) -> S3Storage:
    storage.check_mark(MARK)
    return storage


def detail(answer: StorageAnswer | StorageRefusal) -> str:
    assert isinstance(answer, StorageRefusal)
    return answer.detail


def test_an_object_that_is_exchanged_while_it_is_read_is_not_mixed(
    s3_storage: S3Storage, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "SPAN_BYTES", 4)
    stage(s3_storage, "t1", b"first content")
    publish_one(s3_storage, "t1", "a")
    pieces = s3_storage.read("a")
    assert next(pieces) == b"firs"
    stage(s3_storage, "t2", b"other content")
    publish_one(s3_storage, "t2", "b")
    bucket.keys["lab/archive/a"] = bucket.keys["lab/archive/b"]
    with pytest.raises(StorageUnavailable, match="changed"):
        next(pieces)


def test_secrets_are_not_shown_with_a_connection(connection: S3Connection) -> None:
    assert connection.secret_access_key
    assert connection.secret_access_key not in repr(connection)


def test_every_content_gets_a_key_whatever_has_the_wanted_one(s3_storage: S3Storage) -> None:
    """As in a folder: other bytes, an object for a folder and the reverse, and a key that S3 doesn't take."""
    for name, path in (("t1", "M/a.csv"), ("t2", "M/folder/inside"), ("t3", "M/file")):
        stage(s3_storage, name, b"there before")
        publish_one(s3_storage, name, path)
    long = "M/" + "/".join(["x" * 200] * 6) + ".csv"
    wanted = {"u1": "M/a.csv", "u2": "M/file/inside", "u3": "M/folder", "u4": long, "u5": "M/plain"}
    for name in wanted:
        stage(s3_storage, name, name.encode())
    outcomes = publish(s3_storage, wanted, {name: digest_of([name.encode()]) for name in wanted})
    assert outcomes == {
        "u1": "M/a%~2.csv",
        "u2": "M/file%~2/inside",
        "u3": "M/folder%~2",
        "u4": f"%~/{hashlib.sha256(long.encode()).hexdigest()[:32]}.csv",
        "u5": "M/plain",
    }
    for name, path in outcomes.items():
        assert isinstance(path, str)
        assert b"".join(s3_storage.read(path)) == name.encode()
    assert s3_storage.staged_names() == []


def test_the_very_bytes_of_a_dead_run_are_taken_over_under_the_next_key(s3_storage: S3Storage) -> None:
    for name, path, content in (("t1", "M/a.csv", b"a stranger's"), ("t2", "M/a%~2.csv", b"ours")):
        stage(s3_storage, name, content)
        publish_one(s3_storage, name, path)
    stage(s3_storage, "t3", b"ours")
    assert publish(s3_storage, {"t3": "M/a.csv"}, {"t3": digest_of([b"ours"])}) == {"t3": "M/a%~2.csv"}
    assert sorted(s3_storage.paths()) == ["M/a%~2.csv", "M/a.csv"]
    assert s3_storage.staged_names() == []
