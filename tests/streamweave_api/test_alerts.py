"""Alerts over HTTP, for admins."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from streamweave.alerts.channels import Channels
from streamweave.alerts.evaluate import evaluate_alerts
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Scan, ScanOutcome
from streamweave.facility import Facility, facility_of
from streamweave.settings import Settings

Body = dict[str, Any]


@pytest.fixture
def facility(settings: Settings) -> Any:
    facility = facility_of(settings)
    yield facility
    facility.close()


@pytest.fixture
def alert(api: Any, facility: Facility, sessions: Sessions, instrument: Body) -> Body:
    """An open alert about the instrument, as it is listed."""
    fail(sessions, instrument)
    evaluate_alerts(facility, Channels())
    (listed,) = api.get("/api/alerts").json()
    return dict(listed)


def fail(sessions: Sessions, instrument: Body) -> None:
    failed = {"outcome": ScanOutcome.FAILED, "error_kind": "credentials_refused", "error_message": "wrong password"}
    with sessions.begin() as session:
        session.add(
            Scan(instrument_id=instrument["id"], started_at=datetime.now(UTC), finished_at=datetime.now(UTC), **failed)
        )


def test_an_alert_says_what_is_wrong_with_what_since_when(alert: Body, instrument: Body) -> None:
    assert alert["kind"] == "failing_share"
    assert (alert["subject_type"], alert["subject_id"]) == ("instruments", instrument["id"])
    assert alert["sentence"] == "The share of Microscope 01 can't be scanned: wrong password"
    assert alert["details"]["error_kind"] == "credentials_refused"
    assert alert["ended_at"] is alert["acknowledged_at"] is None
    assert alert["began_at"] == alert["last_seen_at"]


def test_alerts_are_narrowed_down(api: Any, alert: Body, instrument: Body) -> None:
    def found(query: str) -> list[str]:
        answer = api.get(f"/api/alerts?{query}")
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()]

    for query in ("kind=failing_share", "state=open", f"instrument_id={instrument['id']}"):
        assert found(query) == [alert["id"]]
    for query in ("kind=full_storage", "state=ended", f"instrument_id={alert['id']}"):
        assert found(query) == []
    assert api.get("/api/alerts?kind=nothing").status_code == 422
    assert api.get("/api/alerts?state=nothing").json()["detail"].startswith("state: ")


def test_an_alert_is_shown_with_the_messages_that_tell_of_it(api: Any, alert: Body) -> None:
    shown = api.get(f"/api/alerts/{alert['id']}").json()
    (delivery,) = shown.pop("deliveries")
    assert shown == alert
    assert (delivery["event"], delivery["channel"], delivery["status"]) == ("begin", "notification", "delivered")
    assert delivery["receiver"] == api.get("/users/me").json()["id"]
    (told,) = api.get("/api/notifications").json()
    assert (told["kind"], told["about_type"], told["about_id"]) == ("alert_begin", "alerts", alert["id"])


def test_that_somebody_is_on_it_is_shown_and_audited(api: Any, alert: Body) -> None:
    me = api.get("/users/me").json()
    answer = api.post(f"/api/alerts/{alert['id']}/acknowledge", json={"note": "a new one is on its way"})
    assert answer.status_code == 200
    assert answer.json()["acknowledged_by_id"] == me["id"]
    assert answer.json()["acknowledgement"] == "a new one is on its way"
    (entry,) = api.get(f"/api/audit-log?entity_id={alert['id']}").json()
    assert (entry["entity_type"], entry["actor_email"], entry["action"]) == ("alerts", me["email"], "update")
    assert entry["changes"]["acknowledgement"] == {"before": None, "after": "a new one is on its way"}


def test_what_is_over_can_not_be_acknowledged(api: Any, alert: Body, facility: Facility, instrument: Body) -> None:
    assert api.delete(f"/api/instruments/{instrument['id']}").status_code == 204
    evaluate_alerts(facility, Channels())
    later = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1)
    evaluate_alerts(replace(facility, now=lambda: later), Channels())
    answer = api.post(f"/api/alerts/{alert['id']}/acknowledge", json={})
    assert (answer.status_code, answer.json()) == (
        409,
        {"detail": "the alert is over: there is nothing left to do about it"},
    )
    assert [each["ended_at"] is None for each in api.get("/api/alerts?state=ended").json()] == [False]


def test_whether_anybody_watches_can_be_seen_from_outside(api: Any, facility: Facility) -> None:
    assert api.get("/api/alerts/watch").json() == {"evaluated_at": None, "watching_since": None}
    before = datetime.now(UTC).isoformat()
    evaluate_alerts(facility, Channels())
    assert api.get("/api/alerts/watch").json()["evaluated_at"].replace("Z", "+00:00") > before


def test_the_channels_can_be_tried(api: Any) -> None:
    notified, *others = api.post("/api/alerts/test").json()
    assert (notified["channel"], notified["ok"]) == ("notification", True)
    assert [(each["channel"], each["ok"]) for each in others] == [("mail", False), ("webhook", False)]
    assert [each["kind"] for each in api.get("/api/notifications").json()] == ["alert_test"]


def test_only_admins_hear_of_alerts(client: Any, api: Any, alert: Body, researcher: dict[str, str]) -> None:
    for method, path in [
        ("GET", "/api/alerts"),
        ("GET", "/api/alerts/watch"),
        ("GET", f"/api/alerts/{alert['id']}"),
        ("POST", f"/api/alerts/{alert['id']}/acknowledge"),
        ("POST", "/api/alerts/test"),
    ]:
        answer = client.request(method, path, headers=researcher, json={} if method == "POST" else None)
        assert (answer.status_code, answer.json()) == (403, {"detail": "Admin access required"}), path


def test_when_an_instrument_is_silent_can_be_said(api: Any, instrument: Body) -> None:
    path = f"/api/instruments/{instrument['id']}"
    assert instrument["silence_alert_after_seconds"] is None
    for value in (0, 86_400, None):
        assert (
            api.patch(path, json={"silence_alert_after_seconds": value}).json()["silence_alert_after_seconds"] == value
        )
    assert api.patch(path, json={"silence_alert_after_seconds": -1}).status_code == 422
