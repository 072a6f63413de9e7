import base64
import hashlib
import io
import os
import struct
import uuid
import zipfile
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import update

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileVersion, VersionState
from streamweave.files.packing import entry_names

Client = TestClient[Litestar]

CONTENT = bytes(range(256)) * 10
SHA256 = hashlib.sha256(CONTENT)
ETAG = f'"{SHA256.hexdigest()}"'


@pytest.fixture
def path(shelf: Any) -> str:
    """Where an archived file is downloaded from."""
    return f"/api/files/{shelf.put('microscope/scan ü.csv', CONTENT)}/content"


def open_files() -> set[str]:
    """What this process holds open of archives."""
    links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
    return {target for link in links if link.is_symlink() and "/archive" in (target := str(link.readlink()))}


def test_a_download_is_the_archived_content_and_proves_it(api: Client, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["ETag"] == ETAG
    assert answer.headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(SHA256.digest()).decode()}:"
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"].startswith("text/csv")
    disposition = "attachment; filename=\"scan _.csv\"; filename*=UTF-8''scan%20%C3%BC.csv"
    assert answer.headers["Content-Disposition"] == disposition
    assert open_files() == set()


def test_head_tells_the_same_without_the_content(api: Client, path: str) -> None:
    head, whole = api.head(path, headers={"Range": "bytes=0-1"}), api.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("ETag", "Content-Length", "Repr-Digest", "Content-Disposition", "Accept-Ranges"):
        assert head.headers[name] == whole.headers[name]
    assert open_files() == set()


def test_ranges_are_the_spans_asked_for(api: Client, path: str) -> None:
    size = len(CONTENT)
    for asked, first, end in [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=2550-", 2550, size),
        ("bytes=2550-99999", 2550, size),
        ("bytes=-5", size - 5, size),
        ("Bytes=-99999", 0, size),
    ]:
        answer = api.get(path, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, CONTENT[first:end]), asked
        assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{size}"
        assert answer.headers["Content-Length"] == str(end - first)
        assert answer.headers["ETag"] == ETAG


def test_a_range_behind_the_end_is_refused_and_one_that_makes_no_sense_is_ignored(api: Client, path: str) -> None:
    for asked in ["bytes=2560-", "bytes=99999-100000", "bytes=-0"]:
        answer = api.get(path, headers={"Range": asked})
        assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */2560")
        assert list(answer.json()) == ["detail"]
    for asked in ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", f"bytes={'9' * 5000}-"]:
        answer = api.get(path, headers={"Range": asked})
        assert (answer.status_code, len(answer.content)) == (200, len(CONTENT))


def test_what_one_has_already_is_not_sent_again(api: Client, path: str) -> None:
    for known in [ETAG, f'"other", {ETAG}', f"W/{ETAG}", "*"]:
        for method in ("GET", "HEAD"):
            answer = api.request(method, path, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", ETAG)
    assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_download_goes_on_only_if_the_content_is_still_the_same(api: Client, path: str) -> None:
    assert api.get(path, headers={"If-Match": f'"other", {ETAG}'}).status_code == 200
    for wanted in ['"other"', f"W/{ETAG}"]:
        answer = api.get(path, headers={"If-Match": wanted})
        assert (answer.status_code, list(answer.json())) == (412, ["detail"])
    assert api.get(path, headers={"Range": "bytes=0-1", "If-Range": ETAG}).status_code == 206
    for other in ['"other"', f"W/{ETAG}", "Tue, 24 Feb 2026 12:00:00 GMT"]:
        assert api.get(path, headers={"Range": "bytes=0-1", "If-Range": other}).status_code == 200


def test_an_empty_file_downloads(api: Client, shelf: Any) -> None:
    path = f"/api/files/{shelf.put('microscope/empty.dat', b'')}/content"
    for headers in ({}, {"Range": "bytes=0-"}, {"Range": "bytes=-5"}):
        answer = api.get(path, headers=headers)
        assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"", "0")


def test_each_version_keeps_its_content(api: Client, shelf: Any) -> None:
    file_id = shelf.put("microscope/scan.csv", b"first")
    shelf.add_version(file_id, b"second one", 2, size=10)
    shelf.add_version(file_id, None, 3)
    shelf.add_version(file_id, b"first", 4, size=5, state=VersionState.UNCHANGED)
    base = f"/api/files/{file_id}"
    assert api.get(f"{base}/content").content == b"second one"
    assert [api.get(f"{base}/versions/{number}/content").content for number in (1, 2, 4)] == [
        b"first",
        b"second one",
        b"first",
    ]
    unarchived = api.get(f"{base}/versions/3/content")
    assert (unarchived.status_code, unarchived.json()) == (
        409,
        {"detail": "Version 3 of this file is not archived: it is settling"},
    )
    assert api.get(f"{base}/versions/5/content").json() == {"detail": "Version not found"}
    assert api.get(f"{base}/versions/99999999999999999999/content").status_code in (404, 422)
    assert api.get(f"{base}/versions/2").json()["number"] == 2


def test_what_can_not_be_downloaded_says_why(api: Client, shelf: Any, path: str, researcher: dict[str, str]) -> None:
    waiting = shelf.put("microscope/waiting.csv", None)
    answer = api.get(f"/api/files/{waiting}/content")
    assert (answer.status_code, answer.json()) == (409, {"detail": "This file is not archived yet: it is settling"})
    for hidden in (path, f"{path.removesuffix('content')}versions/1/content"):
        for method in ("GET", "HEAD"):
            assert api.request(method, hidden, headers=researcher).status_code == 404
    assert api.get(path, headers=researcher).json() == {"detail": "File not found"}
    shelf.place(path.split("/")[3]).unlink()
    for method in ("GET", "HEAD"):
        assert api.request(method, path).status_code == 503
    assert "can't be read at the moment" in api.get(path).json()["detail"]


def test_a_zip_holds_the_selected_files_under_their_paths(api: Client, shelf: Any) -> None:
    ids = [shelf.put(f"microscope/user_a/{name}", name.encode()) for name in ("a.csv", "b.csv", "ü/../c:.csv")]
    answer = api.post("/api/files/archive", json={"file_ids": [*ids, ids[0]]})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    assert answer.headers["Content-Length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == {
            "microscope/user_a/a.csv": b"a.csv",
            "microscope/user_a/b.csv": b"b.csv",
            "microscope/user_a/ü/.%2E/c%3A.csv": "ü/../c:.csv".encode(),
        }
    assert open_files() == set()


def test_a_file_that_others_have_for_a_folder_gets_another_name_in_a_zip() -> None:
    contents: Any = [
        SimpleNamespace(archive_folder="M", source_path=path)
        for path in ("m/result", "m/result/inside.csv", "m/RESULT.d/x", "m/result.d")
    ]
    assert entry_names(contents) == ["m/result%~2", "m/result/inside.csv", "m/RESULT.d/x", "m/result%~2.d"]


def test_a_zip_of_the_lists_filters_takes_what_is_archived(api: Client, shelf: Any) -> None:
    shelf.put("microscope/a.csv", b"a")
    shelf.put("microscope/b.csv", None)
    shelf.put("microscope/c.txt", b"c")
    answer = api.post("/api/files/archive?extension=csv", json={})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.namelist() == ["microscope/a.csv"]
    assert api.post("/api/files/archive?extension=tif", json={}).json() == {"detail": "File not found"}


def test_a_download_bears_the_time_at_which_the_instrument_wrote_it(api: Client, shelf: Any) -> None:
    path = f"/api/files/{shelf.put('microscope/a.csv', CONTENT)}/content"
    date = "Tue, 24 Feb 2026 12:00:00 GMT"
    earlier, later = "Tue, 24 Feb 2026 11:59:59 GMT", "Tue, 24 Feb 2026 12:00:01 GMT"

    def status(**headers: str) -> int:
        return api.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}).status_code

    for answer in (api.get(path), api.head(path), api.get(path, headers={"If-None-Match": ETAG})):
        assert answer.headers["Last-Modified"] == date
    assert [status(If_Modified_Since=each) for each in (date, earlier, later, "yesterday")] == [304, 200, 200, 200]
    assert status(If_Modified_Since=date, If_None_Match='"another"') == 200
    assert [status(If_Unmodified_Since=each) for each in (date, earlier, later, "tomorrow")] == [200, 412, 200, 200]
    assert status(If_Unmodified_Since=earlier, If_Match=ETAG) == 200
    assert status(If_Range=date, Range="bytes=0-3") == 200
    assert status(If_Range=ETAG, Range="bytes=0-3") == 206


def test_a_clock_that_is_ahead_puts_no_download_into_the_future(api: Client, shelf: Any, sessions: Sessions) -> None:
    path = f"/api/files/{shelf.put('microscope/a.csv', CONTENT)}/content"
    with sessions.begin() as session:
        session.execute(update(FileVersion).values(source_mtime=datetime.now(UTC) + timedelta(days=400)))
    shown = parsedate_to_datetime(api.get(path).headers["Last-Modified"])
    assert shown <= datetime.now(UTC) < shown + timedelta(minutes=5)


def test_entries_of_a_zip_bear_the_time_at_which_the_instrument_wrote_them(
    api: Client, shelf: Any, instrument: dict[str, Any], sessions: Sessions
) -> None:
    api.patch(f"/api/instruments/{instrument['id']}", json={"timezone": "Europe/Berlin"})
    wrote = {
        "old": datetime(1970, 1, 1, tzinfo=UTC),
        "winter": datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC),
        "summer": datetime(2023, 7, 14, 22, 13, 20, tzinfo=UTC),
        "far": datetime(2200, 1, 1, tzinfo=UTC),
    }
    ids = {name: shelf.put(f"microscope/{name}.csv", name.encode()) for name in wrote}
    with sessions.begin() as session:
        for name, moment in wrote.items():
            of_it = FileVersion.file_id == uuid.UUID(ids[name])
            session.execute(update(FileVersion).where(of_it).values(source_mtime=moment))
    answer = api.post("/api/files/archive", json={"file_ids": list(ids.values())})
    assert answer.headers["Content-Length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        entries = {Path(entry.filename).stem: entry for entry in packed.infolist()}
    assert {name: entry.date_time for name, entry in entries.items()} == {
        "old": (1980, 1, 1, 0, 0, 0),
        "winter": (2023, 11, 14, 23, 13, 20),
        "summer": (2023, 7, 15, 0, 13, 20),
        "far": (2107, 12, 31, 23, 59, 58),
    }
    exact = {name: struct.pack("<HHBi", 0x5455, 5, 1, int(wrote[name].timestamp())) for name in wrote if name != "far"}
    assert {name: entry.extra for name, entry in entries.items()} == exact | {"far": b""}


def test_a_zip_is_refused_before_it_begins(api: Client, shelf: Any, researcher: dict[str, str]) -> None:
    archived, waiting = shelf.put("microscope/a.csv", b"a"), shelf.put("microscope/b.csv", None)
    for headers, ids, detail in [
        ({}, [archived, waiting], f"File {waiting} is not archived yet"),
        (researcher, [archived], "File not found"),
    ]:
        answer = api.post("/api/files/archive", json={"file_ids": ids}, headers=headers)
        assert (answer.status_code, answer.json()) == (404, {"detail": detail})
    for query, body in [("", {}), ("?extension=csv", {"file_ids": [archived]}), ("?colour=red", {}), ("", {"x": 1})]:
        assert api.post(f"/api/files/archive{query}", json=body).status_code == 422
