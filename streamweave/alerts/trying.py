"""Trying out the channels: would anybody be told?"""

from dataclasses import dataclass
from datetime import UTC, datetime

from streamweave.access.notifications import notify
from streamweave.alerts.channels import Channels
from streamweave.alerts.messages import trial_message
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import AlertChannel, User
from streamweave.errors import MailNotTaken, WebhookError

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
