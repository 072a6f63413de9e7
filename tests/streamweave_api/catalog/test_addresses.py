"""An instrument with files gets another address over REST."""

from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]


def test_another_share_is_a_question_until_it_is_answered(api: Client, shelf: Any) -> None:
    file_id = shelf.put("microscope/a/scan.csv", b"content")
    before = api.get(f"/api/files/{file_id}").json()
    address = f"/api/instruments/{before['instrument_id']}"

    refused = api.patch(address, json={"cifs_share": "data"})
    assert refused.status_code == 409
    assert "same_files" in refused.json()["detail"]
    assert "other_files" in refused.json()["detail"]
    assert api.get(address).json()["cifs_share"] == "microscope"
    wrong = api.patch(address, json={"cifs_share": "data", "address_change": "perhaps"})
    assert wrong.status_code == 422

    changed = api.patch(address, json={"cifs_share": "data", "address_change": "same_files"})
    assert (changed.status_code, changed.json()["cifs_share"]) == (200, "data")
    after = api.get(f"/api/files/{file_id}").json()
    assert after["source_path"] == "data/a/scan.csv"
    assert after["persistent_id"] == before["persistent_id"]
    assert api.get("/api/files?q=scan").json()[0]["source_path"] == "data/a/scan.csv"
    assert api.get(f"/api/files/{file_id}/content").content == b"content"


def test_an_address_change_is_no_field_of_a_new_instrument(api: Client) -> None:
    new = {"name": "New", "cifs_host": "n", "cifs_share": "n", "address_change": "same_files"}
    refused = api.post("/api/instruments", json=new)
    assert refused.status_code == 422
    assert "address_change" in refused.json()["detail"]
