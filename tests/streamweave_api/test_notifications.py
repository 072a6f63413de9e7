import uuid
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from streamweave.access.notifications import notify
from streamweave.catalog.session import Sessions

Client = TestClient[Litestar]
Body = dict[str, Any]
Headers = dict[str, str]

INBOX = "/api/notifications"


@pytest.fixture
def told(client: Client, sessions: Sessions, researcher: Headers) -> list[Body]:
    """Three notifications for the researcher, newest first."""
    user_id = uuid.UUID(client.get("/users/me", headers=researcher).json()["id"])
    for number in (1, 2, 3):
        with sessions.begin() as session:
            notify(session, [user_id], kind="test", subject=f"Message {number}", body="…")
    inbox: list[Body] = client.get(INBOX, headers=researcher).json()
    return inbox


def test_notifications_come_newest_first_in_pages(client: Client, researcher: Headers, told: list[Body]) -> None:
    assert [each["subject"] for each in told] == ["Message 3", "Message 2", "Message 1"]
    first = client.get(f"{INBOX}?limit=2&unread=true", headers=researcher)
    second = client.get(first.links["next"]["url"], headers=researcher)
    assert first.json() + second.json() == told
    assert "next" not in second.links


def test_what_was_read_is_no_longer_unread(client: Client, researcher: Headers, told: list[Body]) -> None:
    path = f"{INBOX}/{told[1]['id']}/read"
    read = client.post(path, headers=researcher)
    assert read.status_code == 200
    assert read.json()["read_at"] is not None
    assert client.post(path, headers=researcher).json() == read.json()
    assert client.get(f"{INBOX}?unread=true", headers=researcher).json() == [told[0], told[2]]
    assert len(client.get(INBOX, headers=researcher).json()) == 3


def test_everything_can_be_read_at_once(client: Client, researcher: Headers, told: list[Body]) -> None:
    assert client.post(f"{INBOX}/read-all", headers=researcher).json() == {"read": 3}
    assert client.post(f"{INBOX}/read-all", headers=researcher).json() == {"read": 0}
    assert client.get(f"{INBOX}?unread=true", headers=researcher).json() == []


def test_a_notification_can_be_removed(client: Client, researcher: Headers, told: list[Body]) -> None:
    path = f"{INBOX}/{told[0]['id']}"
    assert client.delete(path, headers=researcher).status_code == 204
    gone = client.delete(path, headers=researcher)
    assert gone.status_code == 404
    assert gone.json() == {"detail": "Notification not found"}


def test_nobody_touches_what_others_were_told(
    client: Client, researcher: Headers, admin: Headers, told: list[Body]
) -> None:
    path = f"{INBOX}/{told[0]['id']}"
    assert client.get(INBOX, headers=admin).json() == []
    assert client.post(f"{path}/read", headers=admin).status_code == 404
    assert client.delete(path, headers=admin).status_code == 404
    assert client.post(f"{INBOX}/read-all", headers=admin).json() == {"read": 0}
    assert client.get(f"{INBOX}?unread=true", headers=researcher).json() == told


def test_without_a_token_there_is_no_inbox(client: Client) -> None:
    assert client.get(INBOX).status_code == 401
