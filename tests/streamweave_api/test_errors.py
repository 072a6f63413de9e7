import logging
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy.exc import TimeoutError as PoolTimeout

from streamweave.settings import Settings
from streamweave_api.app import create_app
from streamweave_api.service import CatalogCheck

Client = TestClient[Litestar]

INSTRUMENT = {"name": "Microscope 01", "cifs_host": "microscope-01", "cifs_share": "microscope"}


def test_health_answers_when_the_catalog_does(client: Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_health_says_when_the_catalog_does_not_answer(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/nothing"})
    with TestClient(create_app(nowhere)) as client:
        answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json() == {"detail": "The catalog can't be reached"}


def test_an_unknown_path_is_not_found(client: Client) -> None:
    for path in ["/nothing", "/api/nothing", "/api/instruments/not-an-id"]:
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json() == {"detail": "Not Found"}


def test_a_wrong_method_is_refused(client: Client) -> None:
    answer = client.put("/api/instruments")
    assert answer.status_code == 405
    assert answer.json() == {"detail": "Method Not Allowed"}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"name": "\\ud800"}'])
def test_malformed_json_is_refused(api: Client, body: bytes) -> None:
    answer = api.post("/api/instruments", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({**INSTRUMENT, "cifs_port": "many"}, "cifs_port: "),
        ({**INSTRUMENT, "cifs_host": 1}, "cifs_host: "),
        ({**INSTRUMENT, "service_account_id": "none"}, "service_account_id: "),
        ({**INSTRUMENT, "colour": "red"}, "colour: unknown field"),
        ({"name": "Microscope 01", "cifs_share": "microscope"}, "cifs_host: is required"),
        ([INSTRUMENT], "Expected `object`, got `array`"),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_by_the_fields_name(api: Client, body: Any, detail: str) -> None:
    answer = api.post("/api/instruments", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(detail)


def test_a_body_that_is_missing_is_asked_for(api: Client) -> None:
    answer = api.post("/api/instruments", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"detail": "a body is required: JSON, such as {}"})


def test_a_parameter_of_the_wrong_shape_is_refused_by_name(api: Client) -> None:
    for query in ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=%00", "state=lost%00", "instrument_id=x"]:
        answer = api.get(f"/api/files?{query}")
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(query.partition("=")[0])


def test_a_body_that_is_too_large_is_refused(api: Client) -> None:
    answer = api.post("/api/instruments", json={**INSTRUMENT, "description": "x" * 1_100_000})
    assert answer.status_code == 413
    assert answer.json()["detail"]


def test_a_fault_of_ours_is_logged_and_not_shown(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> bool:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(CatalogCheck, "answers_within", broken)
    with caplog.at_level(logging.ERROR):
        answer = client.get("/health")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Internal server error"}
    assert "GET /health failed" in caplog.text


def test_a_catalog_that_is_too_busy_is_no_fault(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: object) -> bool:
        raise PoolTimeout

    monkeypatch.setattr(CatalogCheck, "answers_within", busy)
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"detail": "The catalog is too busy at the moment"})


def test_the_documentation_is_open_and_names_every_route(client: Client) -> None:
    assert client.get("/schema").status_code == 200
    paths = client.get("/schema/openapi.json").json()["paths"]
    assert "/api/schedules/{schedule_id}/trigger" in paths
    assert "/api/instruments/{instrument_id}/scans" in paths


def test_a_wrong_word_or_id_is_answered_with_what_it_may_be(api: Client) -> None:
    wrong_id = api.get("/api/files", params={"instrument_id": "none"})
    assert (wrong_id.status_code, wrong_id.json()) == (422, {"detail": "instrument_id: must be an id (a UUID)"})
    wrong_word = api.get("/api/alerts", params={"state": "done"})
    assert (wrong_word.status_code, wrong_word.json()) == (422, {"detail": "state: must be open or ended"})
    wrong_state = api.get("/api/files", params={"state": "done"}).json()["detail"]
    assert wrong_state.startswith("state: must be ")
    assert " or archived or " in wrong_state
