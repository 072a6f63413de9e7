"""Channels: how people receive alerts (notification, mail, webhook), who they are, and the messages that they get."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.access.notifications import notify
from streamweave.access.users import email_address
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Alert, AlertChannel, AlertEvent, Role, User
from streamweave.errors import InvalidInput, MailNotTaken, StartError, WebhookError
from streamweave.mail import Mailer, mailer_of
from streamweave.settings import Settings
from streamweave.webhooks import EgressPolicy, check_url, deliver, signing_key

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
WEBHOOK_SECONDS = 10.0
THE_WEBHOOK = "webhook"
"""The receiver's name on record: its address may hold secrets."""


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


class Receiver(NamedTuple):
    """``address`` is a user's id, a mail address, or ``THE_WEBHOOK``."""

    channel: AlertChannel
    address: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where signed messages are posted to; ``networks`` are those that webhooks may reach besides public addresses."""

    url: str
    secret: str = field(repr=False)
    networks: str = ""


@dataclass(frozen=True, slots=True)
class Channels:
    """What the facility has set up. Admins always get notifications; mails and a webhook are sent where set up.

    Mails go to ``mail_to``, or to all admins. ``public_url`` is the address of our service.
    """

    mailer: Mailer = field(default_factory=Mailer)
    mail_to: Sequence[str] = ()
    webhook: Webhook | None = None
    public_url: str = ""

    def receivers(self, session: Session) -> list[Receiver]:
        admins = session.execute(select(User.id, User.email).where(User.role == Role.ADMIN, User.is_active)).all()
        addresses = self.mail_to or [admin.email for admin in admins]
        return [
            *(Receiver(AlertChannel.NOTIFICATION, str(admin.id)) for admin in admins),
            *(Receiver(AlertChannel.MAIL, address) for address in addresses if self.mailer.host),
            *(Receiver(AlertChannel.WEBHOOK, THE_WEBHOOK) for _ in [self.webhook] if self.webhook),
        ]

    def send(self, receiver: Receiver, message: Message) -> None:
        """Send by mail or webhook. Raises ``MailNotTaken`` or a ``WebhookError``."""
        if receiver.channel == AlertChannel.MAIL:
            self.mailer.deliver(receiver.address, message.subject, message.text, message_name=message.name)
        elif receiver.channel == AlertChannel.WEBHOOK and self.webhook is not None:
            deliver(
                self.webhook.url,
                message.body,
                secret=self.webhook.secret,
                policy=EgressPolicy.listed(self.webhook.networks),
                timeout_seconds=WEBHOOK_SECONDS,
                message_id=message.name,
            )


def channels_of(settings: Settings) -> Channels:
    """The channels that the settings describe. Raises ``StartError`` when one of them could never work."""
    return Channels(
        mailer=mailer_of(settings),
        mail_to=[_address(each.strip()) for each in settings.alert_mail_to.split(",") if each.strip()],
        webhook=_webhook_of(settings) if settings.alert_webhook_url else None,
        public_url=settings.public_url.rstrip("/"),
    )


def _address(text: str) -> str:
    try:
        return str(email_address("STREAMWEAVE_ALERT_MAIL_TO", text))
    except InvalidInput as error:
        raise StartError(f"{error}: {text}") from error


def _webhook_of(settings: Settings) -> Webhook:
    url, secret = settings.alert_webhook_url, settings.alert_webhook_secret.get_secret_value()
    for variable, check, value in (("URL", check_url, url), ("SECRET", signing_key, secret)):
        try:
            check(value)
        except ValueError as error:
            raise StartError(f"STREAMWEAVE_ALERT_WEBHOOK_{variable}: {error}") from error
    return Webhook(url, secret, settings.webhook_networks)


NOT_SET_UP = {
    AlertChannel.MAIL: "no mails are sent: STREAMWEAVE_SMTP_HOST is not set",
    AlertChannel.WEBHOOK: "no webhook is called: STREAMWEAVE_ALERT_WEBHOOK_URL is not set",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test message went. ``detail`` says why it did not arrive; ``receiver`` is empty where nothing is set up."""

    channel: AlertChannel
    receiver: str
    ok: bool
    detail: str | None = None


def try_channels(sessions: Sessions, channels: Channels, user: User) -> list[Trial]:
    """Send a test message over each channel, and to this user a notification."""
    message = trial_message(datetime.now(UTC))
    with sessions.begin() as session:
        notify(session, [user.id], kind="alert_test", subject="A test of the alerts", body=message.text)
        receivers = [each for each in channels.receivers(session) if each.channel != AlertChannel.NOTIFICATION]
    trials = [Trial(AlertChannel.NOTIFICATION, str(user.id), ok=True)]
    for receiver in receivers:
        try:
            channels.send(receiver, message)
        except (MailNotTaken, WebhookError) as error:
            trials.append(Trial(receiver.channel, receiver.address, ok=False, detail=str(error)))
        else:
            trials.append(Trial(receiver.channel, receiver.address, ok=True))
    used = {receiver.channel for receiver in receivers}
    return [*trials, *(Trial(each, "", ok=False, detail=why) for each, why in NOT_SET_UP.items() if each not in used)]
