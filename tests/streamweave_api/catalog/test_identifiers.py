import uuid
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from streamweave.settings import Settings
from streamweave_api.app import create_app

Client = TestClient[Litestar]

PRIVATE = {"detail": "This identifier exists; its file is private"}
REASON = {"reason": "the sample was mislabelled"}


@pytest.fixture
def file_id(shelf: Any) -> str:
    """An archived file of two versions."""
    file_id: str = shelf.put("microscope/user_a/scan_01.csv", b"first")
    shelf.add_version(file_id, b"second", 2, size=6)
    return file_id


def test_an_identifier_leads_to_its_file_however_it_is_written(api: Client, shelf: Any, file_id: str) -> None:
    ark = shelf.ark_of(file_id)
    plain = ark.replace("ark:/", "ark:")
    hyphens = f"{ark[:14]}-{ark[14:17]}\u2010{ark[17:]}"
    for written in [ark, plain, ark.replace("ark", "ARK"), plain.replace("ark", "Ark"), hyphens, f"{ark}/", f"{ark}."]:
        for method in ("GET", "HEAD"):
            answer = api.request(method, f"/{written}", follow_redirects=False)
            assert (answer.status_code, answer.headers.get("Location")) == (303, f"/api/files/{file_id}"), written
    assert api.get(f"/{ark}.v1", follow_redirects=False).headers["Location"] == f"/api/files/{file_id}/versions/1"
    assert api.get(f"/{ark}").json()["persistent_id"] == ark


def test_an_identifier_that_is_mistyped_or_unknown_is_not_found(api: Client, shelf: Any, file_id: str) -> None:
    ark = shelf.ark_of(file_id)
    wrong = ark[:-1] + ("0" if ark[-1] != "0" else "1")
    mistyped = "The identifier is mistyped: its check character is wrong"
    for unknown, detail in [
        (wrong, mistyped),
        (ark.upper().replace("ARK", "ark"), mistyped),
        (f"{ark}.v3", "Identifier not found"),
        (f"{ark}/part", "Identifier not found"),
        ("ark:/13030/xf93gt2q", "Identifier not found"),
        ("ark:/99999/%00", "The identifier is mistyped: it only"),
        ("ark:/1/x", "The identifier is mistyped: it its"),
    ]:
        answer = api.get(f"/{unknown}")
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith(detail), answer.json()
    assert api.get("/nothing/else").json() == {"detail": "Not Found"}


def test_info_cites_the_file_and_says_what_is_promised(api: Client, shelf: Any, file_id: str) -> None:
    ark = shelf.ark_of(file_id)
    answer = api.get(f"/{ark}?info")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.splitlines()[:5] == [
        "erc:",
        "who: StreamWeave",
        "what: microscope/user_a/scan_01.csv",
        "when: 20260224120000",
        f"where: {ark}",
    ]
    assert "erc-support:\nwho: StreamWeave\nwhat: The content is kept unchanged" in answer.text
    assert f"where: {ark}.v2" in api.get(f"/{ark}.v2?info").text


def test_linked_data_describes_the_newest_archived_content(api: Client, shelf: Any, file_id: str) -> None:
    ark = shelf.ark_of(file_id)
    answer = api.get(f"/{ark}", headers={"Accept": "application/ld+json"})
    assert answer.headers["Content-Type"] == "application/ld+json"
    document = answer.json()
    assert (document["@type"], document["identifier"], document["name"]) == ("Dataset", ark, "scan_01.csv")
    assert document["dateCreated"] == "2026-02-24T12:00:00+00:00"
    distribution = document["distribution"]
    assert (distribution["contentSize"], distribution["encodingFormat"]) == ("6 B", "text/csv")
    assert len(distribution["sha256"]) == 64
    assert api.get(distribution["contentUrl"].removeprefix("http://127.0.0.1:8000")).content == b"second"
    links = answer.headers["Link"]
    for relation in ("cite-as", "describedby", "item"):
        assert f'rel="{relation}"' in links


def test_others_learn_only_that_a_private_identifier_exists(
    client: Client, shelf: Any, file_id: str, researcher: dict[str, str]
) -> None:
    ark = shelf.ark_of(file_id)
    del client.headers["Authorization"]
    for headers in ({}, researcher):
        for address in (f"/{ark}", f"/{ark}?info", f"/{ark}.v1", f"/{ark}.v9"):
            answer = client.get(address, headers={**headers, "Accept": "application/ld+json"})
            assert (answer.status_code, answer.json(), "Link" in answer.headers) == (403, PRIVATE, False)
    email = client.get("/users/me", headers=researcher).json()["email"]
    shelf.show(file_id, email)
    assert client.get(f"/{ark}", headers=researcher).json()["id"] == file_id


def test_the_facility_may_hide_that_private_identifiers_exist(settings: Settings, shelf: Any, file_id: str) -> None:
    hiding = settings.model_copy(update={"private_identifiers": "hidden"})
    with TestClient(create_app(hiding)) as client:
        answer = client.get(f"/{shelf.ark_of(file_id)}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Identifier not found"})


def test_a_withdrawn_file_leaves_a_tombstone_and_is_gone_for_all_but_admins(
    api: Client, shelf: Any, file_id: str, researcher: dict[str, str]
) -> None:
    ark, path = shelf.ark_of(file_id), f"/api/files/{file_id}"
    shelf.show(file_id, api.get("/users/me", headers=researcher).json()["email"])
    assert api.post(f"{path}/withdraw", json=REASON, headers=researcher).status_code == 403
    assert api.post(f"{path}/withdraw", json={"reason": " "}).status_code == 422
    assert api.post(f"{path}/withdraw", json=REASON).json()["withdrawn_reason"] == REASON["reason"]
    assert api.post(f"{path}/withdraw", json=REASON).status_code == 409
    for headers in ({}, researcher):
        answer = api.get(f"/{ark}", headers=headers)
        assert answer.status_code == 410
        assert answer.json()["detail"] == "This file was withdrawn: the sample was mislabelled"
        assert answer.json()["tombstone"]["what"] == "microscope/user_a/scan_01.csv"
        assert (answer.json()["tombstone"]["where"], answer.json()["tombstone"]["why"]) == (ark, REASON["reason"])
    for hidden in (path, f"{path}/content", f"{path}/history", f"{path}/versions"):
        assert api.get(hidden, headers=researcher).status_code == 404
    assert api.get("/api/files", headers=researcher).json() == []
    assert api.get(path).status_code == api.get(f"{path}/content").status_code == 200
    assert api.delete(f"{path}/withdraw").status_code == 204
    assert api.delete(f"{path}/withdraw").status_code == 409
    assert api.get(path, headers=researcher).status_code == 200
    assert api.post(f"/api/files/{uuid.uuid4()}/withdraw", json=REASON).status_code == 404
