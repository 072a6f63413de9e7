import uuid
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import update

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import InstrumentRequest
from streamweave.instruments.requests import MOST_A_DAY, MOST_PENDING

Client = TestClient[Litestar]
Body = dict[str, Any]
Headers = dict[str, str]

REQUESTS = "/api/instrument-requests"
WISH = {"name": "Cryo-EM 02", "location": "Lab B", "justification": "Every week\nwe lose a day to copying."}


@pytest.fixture
def wish(client: Client, researcher: Headers, admin: Headers) -> Body:
    """A researcher's request."""
    answer = client.post(REQUESTS, json=WISH, headers=researcher)
    assert answer.status_code == 201
    made: Body = answer.json()
    return made


def test_a_request_waits_for_its_review(client: Client, researcher: Headers, wish: Body) -> None:
    assert wish["requester_id"] == client.get("/users/me", headers=researcher).json()["id"]
    assert {field: wish[field] for field in WISH} == WISH
    assert (wish["status"], wish["note"], wish["reviewed_at"], wish["description"]) == ("pending", None, None, None)


def test_one_sees_ones_own_requests_and_an_admin_all(
    client: Client, researcher: Headers, admin: Headers, wish: Body
) -> None:
    theirs = client.post(REQUESTS, json={**WISH, "name": "Other"}, headers=admin).json()
    assert client.get(REQUESTS, headers=researcher).json() == [wish]
    assert client.get(REQUESTS, headers=admin).json() == [wish, theirs]
    assert client.get(f"{REQUESTS}/{wish['id']}", headers=researcher).json() == wish
    hidden = client.get(f"{REQUESTS}/{theirs['id']}", headers=researcher)
    assert hidden.status_code == 404
    assert hidden.json() == {"detail": "Instrument request not found"}


def test_requests_are_listed_by_status(client: Client, admin: Headers, wish: Body) -> None:
    client.patch(f"{REQUESTS}/{wish['id']}", json={"status": "approved"}, headers=admin)
    assert client.get(f"{REQUESTS}?status=pending", headers=admin).json() == []
    assert [each["id"] for each in client.get(f"{REQUESTS}?status=approved", headers=admin).json()] == [wish["id"]]
    assert client.get(f"{REQUESTS}?status=lost", headers=admin).status_code == 422


def test_the_admins_are_told_of_a_request_and_the_requester_of_the_review(
    client: Client, researcher: Headers, admin: Headers, wish: Body
) -> None:
    told = client.get("/api/notifications", headers=admin).json()
    assert [(each["kind"], each["about_type"], each["about_id"]) for each in told] == [
        ("instrument_request_filed", "instrument_requests", wish["id"])
    ]
    assert client.get("/api/notifications", headers=researcher).json() == []
    review = {"status": "rejected", "note": "There is no space."}
    reviewed = client.patch(f"{REQUESTS}/{wish['id']}", json=review, headers=admin)
    assert reviewed.status_code == 200
    assert (reviewed.json()["status"], reviewed.json()["note"]) == ("rejected", "There is no space.")
    assert reviewed.json()["reviewed_by_id"] == client.get("/users/me", headers=admin).json()["id"]
    assert reviewed.json()["reviewed_at"] is not None
    [heard] = client.get("/api/notifications", headers=researcher).json()
    assert heard["subject"] == "Your request for the instrument Cryo-EM 02 was rejected"
    assert (heard["kind"], heard["body"]) == ("instrument_request_reviewed", "There is no space.")


def test_a_request_is_reviewed_once(client: Client, researcher: Headers, admin: Headers, wish: Body) -> None:
    path = f"{REQUESTS}/{wish['id']}"
    client.patch(path, json={"status": "approved"}, headers=admin)
    again = client.patch(path, json={"status": "rejected"}, headers=admin)
    assert again.status_code == 409
    assert again.json() == {"detail": "the request was approved already"}
    assert len(client.get("/api/notifications", headers=researcher).json()) == 1


def test_a_review_is_in_the_audit_log(client: Client, admin: Headers, wish: Body) -> None:
    client.patch(f"{REQUESTS}/{wish['id']}", json={"status": "approved"}, headers=admin)
    reviewed = client.get(f"/api/audit-log?entity_id={wish['id']}", headers=admin).json()[0]
    assert reviewed["changes"]["status"] == {"before": "pending", "after": "approved"}


def test_only_admins_review(client: Client, researcher: Headers, wish: Body) -> None:
    refused = client.patch(f"{REQUESTS}/{wish['id']}", json={"status": "approved"}, headers=researcher)
    assert refused.status_code == 403
    assert refused.json() == {"detail": "Admin access required"}


@pytest.mark.parametrize("review", [{}, {"status": "pending"}, {"status": 1}, {"status": "approved", "x": 1}, None])
def test_a_review_that_decides_nothing_is_refused(client: Client, admin: Headers, wish: Body, review: object) -> None:
    assert client.patch(f"{REQUESTS}/{wish['id']}", json=review, headers=admin).status_code in (400, 415, 422)
    assert client.get(f"{REQUESTS}/{wish['id']}", headers=admin).json()["status"] == "pending"


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"justification": "\0"}, {"name": "x" * 201}, {"location": 5}, {"status": "approved"}]
)
def test_bad_requests_are_refused(client: Client, researcher: Headers, change: Body) -> None:
    answer = client.post(REQUESTS, json=WISH | change, headers=researcher)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(next(iter(change)))


def test_of_one_person_so_many_wait_at_once_and_so_many_are_taken_in_a_day(
    client: Client, researcher: Headers, admin: Headers, sessions: Sessions
) -> None:
    def ask(headers: Headers = researcher) -> int:
        return client.post(REQUESTS, json=WISH, headers=headers).status_code

    def reject_all() -> None:
        for each in client.get(f"{REQUESTS}?status=pending", headers=admin).json():
            client.patch(f"{REQUESTS}/{each['id']}", json={"status": "rejected"}, headers=admin)

    assert [ask() for _ in range(MOST_PENDING + 1)] == [201] * MOST_PENDING + [409]
    detail = client.post(REQUESTS, json=WISH, headers=researcher).json()["detail"]
    assert detail == "10 of your requests wait for a decision already: wait until one is decided about"
    assert ask(admin) == 201
    reject_all()
    assert [ask() for _ in range(MOST_A_DAY - MOST_PENDING)] == [201] * (MOST_A_DAY - MOST_PENDING)
    reject_all()
    refused = client.post(REQUESTS, json=WISH, headers=researcher)
    assert refused.status_code == 429
    assert 80_000 < int(refused.headers["Retry-After"]) <= 86_400
    with sessions.begin() as session:
        earlier = InstrumentRequest.created_at - timedelta(days=1)
        session.execute(update(InstrumentRequest).values(created_at=earlier))
    assert ask() == 201


def test_what_does_not_exist_is_not_reviewed(client: Client, admin: Headers) -> None:
    path = f"{REQUESTS}/{uuid.uuid4()}"
    assert client.patch(path, json={"status": "approved"}, headers=admin).status_code == 404
