"""Delivering: send what is due, each channel beside the others, so that one that is down holds up none.

A message is sent at least once: it counts as delivered only when that is on record. No session is open while one is
sent.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from streamweave.alerts.channels import Channels, Receiver
from streamweave.alerts.messages import Message, message_about
from streamweave.alerts.outbox import arrived, channels_with_due_messages, drop_what_can_not_arrive, take_due
from streamweave.catalog.tables import AlertChannel, AlertDelivery
from streamweave.errors import MailNotTaken, WebhookError
from streamweave.facility import Facility

BEGINS_WITHIN_SECONDS = 10.0
"""After so long no further message is begun at this time: whoever waits for us doesn't wait for ever."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many messages arrived, and how many did not this time."""

    arrived: int = 0
    failed: int = 0


def deliver_due(facility: Facility, channels: Channels) -> Delivered:
    """Send all that is due, or as much as there is time for."""
    now = facility.now()
    with facility.sessions.begin() as session:
        drop_what_can_not_arrive(session, channels.receivers(session), now)
        due = channels_with_due_messages(session, now)
    if not due:
        return Delivered()
    with ThreadPoolExecutor(len(due)) as threads:
        done = list(threads.map(lambda channel: _deliver_over(facility, channels, channel), due))
    return Delivered(sum(each.arrived for each in done), sum(each.failed for each in done))


def _deliver_over(facility: Facility, channels: Channels, channel: AlertChannel) -> Delivered:
    deadline = time.monotonic() + BEGINS_WITHIN_SECONDS
    outcomes: list[bool] = []
    while time.monotonic() < deadline:
        with facility.sessions.begin() as session:
            taken = take_due(session, channel, facility.now())
        if taken is None:
            break
        delivery, alert = taken
        message = message_about(alert, delivery.event, delivery.id, channels.public_url)
        problem = _problem(channels, Receiver(channel, delivery.receiver), message)
        _note(facility, delivery, problem)
        outcomes.append(problem is None)
    return Delivered(outcomes.count(True), outcomes.count(False))


def _problem(channels: Channels, receiver: Receiver, message: Message) -> str | None:
    """Why a message could not be sent; None when it could."""
    try:
        channels.send(receiver, message)
    except (MailNotTaken, WebhookError) as error:
        return str(error)
    return None


def _note(facility: Facility, delivery: AlertDelivery, problem: str | None) -> None:
    with facility.sessions.begin() as session:
        noted = session.get_one(AlertDelivery, delivery.id)
        if problem is None:
            arrived(noted, facility.now())
        else:
            noted.detail = problem
