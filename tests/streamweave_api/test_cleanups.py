"""A person says that a share was cleaned up: who may, and what is on record of it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from streamweave.catalog.session import Sessions
from streamweave.harvest.share_guard import use_acknowledgement

Client = TestClient[Litestar]
Body = dict[str, Any]


def test_an_admins_word_is_on_record_with_who_gave_it_and_covers_one_look(
    api: Client, instrument: Body, sessions: Sessions
) -> None:
    path = f"/api/instruments/{instrument['id']}"
    answer = api.post(f"{path}/acknowledge-cleanup")

    assert answer.status_code == 200
    acknowledged_at = datetime.fromisoformat(answer.json()["cleanup_acknowledged_at"])
    assert abs(datetime.now(UTC) - acknowledged_at) < timedelta(minutes=1)
    assert api.get(path).json() == answer.json()
    entry = api.get("/api/audit-log", params={"entity_id": instrument["id"]}).json()[0]
    assert (entry["action"], entry["actor_email"]) == ("update", api.get("/users/me").json()["email"])
    assert list(entry["changes"]) == ["cleanup_acknowledged_at"]
    with sessions.begin() as session:
        words = [use_acknowledgement(session, uuid.UUID(instrument["id"]), datetime.now(UTC)) for _ in range(2)]
    assert words == [True, False]
    assert api.get(path).json()["cleanup_acknowledged_at"] is None


def test_only_admins_give_their_word_and_only_for_instruments_that_exist(
    api: Client, client: Client, instrument: Body, researcher: dict[str, str]
) -> None:
    refused = client.post(f"/api/instruments/{instrument['id']}/acknowledge-cleanup", headers=researcher)
    assert (refused.status_code, refused.json()) == (403, {"detail": "Admin access required"})
    nowhere = api.post(f"/api/instruments/{uuid.uuid4()}/acknowledge-cleanup")
    assert (nowhere.status_code, nowhere.json()) == (404, {"detail": "Instrument not found"})
