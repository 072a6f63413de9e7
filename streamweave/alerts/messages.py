"""Messages: the words and the JSON of an alert. Pure."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamweave.catalog.tables import Alert, AlertEvent

HEADLINES = {
    "overdue_files": "files need attention",
    "failing_share": "the share fails",
    "unlisted_folders": "folders can't be listed",
    "unwatched_share": "the share is not scanned",
    "silent_instrument": "no new files",
    "damaged_copies": "archived copies are damaged",
    "failing_hooks": "hooks fail",
    "full_storage": "no room for files",
    "unproven_storage": "archived copies are not proven",
    "refused_storage": "the storage is not the place it was",
    "conflicting_journals": "journals and catalog differ",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message for all its attempts: ``name`` stays the same, so that a receiver recognises a second delivery.

    ``text`` is for people, ``body`` is the JSON for a webhook.
    """

    name: str
    subject: str
    text: str
    body: bytes


def message_about(alert: Alert, event: str, delivery_id: uuid.UUID, public_url: str) -> Message:
    """The message about an alert. One about its end also makes sense to those who missed the first."""
    text = f"{alert.sentence}\n\nSince {_utc(alert.began_at)}."
    if event == AlertEvent.END and alert.ended_at is not None:
        text = f"Over since {_utc(alert.ended_at)}; it began {_utc(alert.began_at)}.\n\nIt was: {alert.sentence}"
    return Message(
        name=f"alert-{delivery_id}",
        subject=headline(alert, event),
        text=f"{text}\n\n{public_url}/api/alerts/{alert.id}\n",
        body=_body(f"alert.{event}", alert_as_json(alert)),
    )


def headline(alert: Alert, event: str) -> str:
    """The alert in a few words."""
    over = "over: " if event == AlertEvent.END else ""
    return f"StreamWeave: {over}{alert.subject}: {HEADLINES[alert.kind]}"


def trial_message(now: datetime) -> Message:
    """A test message."""
    text = f"This is a test, sent {_utc(now)}. This receiver gets alerts.\n"
    return Message(
        f"test-{uuid.uuid4()}", "StreamWeave: a test of the alerts", text, _body("alert.test", {"sentence": text})
    )


def alert_as_json(alert: Alert) -> dict[str, Any]:
    """The alert for programs, with times in ISO 8601."""
    return {
        "id": str(alert.id),
        "kind": alert.kind,
        "subject_type": alert.subject_type,
        "subject_id": str(alert.subject_id),
        "subject": alert.subject,
        "sentence": alert.sentence,
        "details": alert.details,
        "began_at": alert.began_at.isoformat(),
        "last_seen_at": alert.last_seen_at.isoformat(),
        "ended_at": alert.ended_at.isoformat() if alert.ended_at else None,
    }


def _body(kind: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "data": data}).encode()


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
