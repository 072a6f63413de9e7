"""Names that were made to do harm: what an instrument calls its files never becomes a header, a path or a page."""

import io
import zipfile
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from streamweave.settings import Settings
from streamweave_api.app import create_app

Client = TestClient[Litestar]

NAMES = [
    'a"; filename="evil.html',
    "a\r\nX-Evil: 1\r\n\r\n<script>",
    "a\r\nwhere: ark:/1/2\nerc:",
    "..\\..\\evil.exe",
    "%0d%0aX-Evil: 1",
    "C:evil.exe",
    "\u202egnp.exe",
    "data:text;html,<script>",
    "\u2028\x85\x7f",
    "x" * 3000,
]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leaves_the_header_or_the_path_it_stands_in(api: Client, shelf: Any, name: str) -> None:
    file_id = shelf.put(f"microscope/../../{name}", b"0,1\n")
    answer = api.get(f"/api/files/{file_id}/content")
    assert (answer.status_code, answer.content) == (200, b"0,1\n")
    assert "x-evil" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="')
    assert (disposition.count('"'), disposition.isascii(), disposition.isprintable()) == (2, True, True)
    packed = zipfile.ZipFile(io.BytesIO(api.post("/api/files/archive", json={"file_ids": [file_id]}).content))
    (entry,) = packed.namelist()
    assert not {"", ".", ".."} & set(entry.split("/"))
    assert not set('\\:"<>\r\n') & set(entry)
    assert all(len(part.encode()) <= 255 for part in entry.split("/"))


@pytest.mark.parametrize("name", NAMES)
def test_no_name_adds_a_line_to_a_citation_or_a_link(api: Client, shelf: Any, name: str) -> None:
    ark = shelf.ark_of(shelf.put(f"microscope/{name}", b"0,1\n"))
    cited = api.get(f"/{ark}?info")
    labels = [line.partition(":")[0] for line in cited.text.splitlines() if line]
    assert labels == ["erc", "who", "what", "when", "where", "erc-support", "who", "what", "when", "where"]
    described = api.get(f"/{ark}", headers={"Accept": "application/ld+json"})
    assert described.json()["name"] == name.rpartition("/")[2]
    for answer in (cited, described):
        assert "x-evil" not in answer.headers
        assert answer.headers["Link"].isprintable()


@pytest.mark.parametrize("known", ['"', '""', "*, *", 'W/"', "\u00e9", "," * 5000, '"x' * 2000, '"a", "b'])
def test_conditions_that_make_no_sense_name_no_content(api: Client, shelf: Any, known: str) -> None:
    path = f"/api/files/{shelf.put('microscope/scan.csv', b'0,1')}/content"
    for header, status in [("If-None-Match", 200), ("If-Match", 412), ("If-Range", 200)]:
        headers = {header: known.encode("latin-1")} | ({"Range": b"bytes=0-0"} if header == "If-Range" else {})
        assert api.get(path, headers=headers).status_code == status
    assert api.get(path, headers={"Range": "bytes=" + ",".join(["0-0"] * 1000)}).status_code == 200


def test_a_hidden_identifier_of_any_making_is_as_one_that_does_not_exist(settings: Settings, shelf: Any) -> None:
    file_id = shelf.put("microscope/scan.csv", b"0,1\n", persistent_id="ark:/99999/fk4withoutcheck")
    assert shelf.ark_of(file_id) == "ark:/99999/fk4withoutcheck"
    with TestClient(create_app(settings.model_copy(update={"private_identifiers": "hidden"}))) as hiding:
        hidden, absent = (hiding.get(f"/ark:/99999/{name}") for name in ("fk4withoutcheck", "fk4neverminted"))
    assert (hidden.status_code, hidden.content, hidden.headers) == (absent.status_code, absent.content, absent.headers)
