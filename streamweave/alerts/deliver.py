"""Delivering: send what is due, each channel beside the others, so that one that is down delays none.

Messages are written together with what they report, so that none is forgotten. Each is sent at least once: it counts as
delivered only when that is on record. No session is open while one is sent.
"""

import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from streamweave.access.notifications import notify
from streamweave.alerts.channels import Channels, Message, Receiver, headline, message_about
from streamweave.catalog.tables import Alert, AlertChannel, AlertDelivery, AlertEvent, DeliveryStatus
from streamweave.errors import MailNotTaken, WebhookError
from streamweave.facility import Facility

GIVEN_UP_AFTER = timedelta(days=3)
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=2), timedelta(hours=1)
"""Between two attempts. The shortest is longer than an attempt, which no other process may make at the same time."""
BEGINS_WITHIN_SECONDS = 10.0
"""After so long no further message is begun in this evaluation, whose caller waits."""
OVERTAKEN = "it was over before it could be sent; the message about its end says when it began"
NO_RECEIVER = "its receiver gets no alerts any more"
TOO_OLD = f"it could not be delivered for {GIVEN_UP_AFTER.days} days"


def announce_end(session: Session, alert: Alert, receivers: Collection[Receiver], now: datetime) -> None:
    """Write the messages about its end, to the receivers of those about its beginning."""
    begun = session.scalars(
        select(AlertDelivery).where(
            AlertDelivery.alert_id == alert.id,
            AlertDelivery.event == AlertEvent.BEGIN,
            AlertDelivery.status != DeliveryStatus.DROPPED,
        )
    ).all()
    for delivery in begun:
        if delivery.status == DeliveryStatus.WAITING:
            delivery.status, delivery.next_attempt_at, delivery.detail = DeliveryStatus.DROPPED, None, OVERTAKEN
    known = [Receiver(AlertChannel(delivery.channel), delivery.receiver) for delivery in begun]
    announce(session, alert, AlertEvent.END, [receiver for receiver in known if receiver in receivers], now)


def announce(session: Session, alert: Alert, event: AlertEvent, receivers: Iterable[Receiver], now: datetime) -> None:
    """Write the messages about the beginning or the end of an alert."""
    for receiver in receivers:
        delivery = AlertDelivery(
            alert_id=alert.id,
            event=event,
            channel=receiver.channel,
            receiver=receiver.address,
            created_at=now,
            next_attempt_at=now,
        )
        if receiver.channel == AlertChannel.NOTIFICATION:
            _notify(session, alert, event, receiver)
            delivery.attempts = 1
            arrived(delivery, now)
        session.add(delivery)
    session.flush()


def _notify(session: Session, alert: Alert, event: AlertEvent, receiver: Receiver) -> None:
    """A notification is a row of the catalog: with the others it is delivered, or none of them is."""
    over = "Over: " if event == AlertEvent.END else ""
    notify(
        session,
        [uuid.UUID(receiver.address)],
        kind=f"alert_{event}",
        subject=headline(alert, event).removeprefix("StreamWeave: "),
        body=f"{over}{alert.sentence}",
        about=alert,
    )


def drop_what_can_not_arrive(session: Session, receivers: Iterable[Receiver], now: datetime) -> None:
    """Give up messages to those who are no receivers any more, and those that were tried for too long."""
    addresses: dict[AlertChannel, list[str]] = {channel: [] for channel in AlertChannel}
    for receiver in receivers:
        addresses[receiver.channel].append(receiver.address)
    waiting = AlertDelivery.status == DeliveryStatus.WAITING
    dropped = update(AlertDelivery).values(status=DeliveryStatus.DROPPED, next_attempt_at=None)
    for channel, known in addresses.items():
        to_nobody = (AlertDelivery.channel == channel) & AlertDelivery.receiver.not_in(known)
        session.execute(dropped.where(waiting, to_nobody).values(detail=NO_RECEIVER))
    why = func.concat_ws(": ", TOO_OLD, AlertDelivery.detail)
    session.execute(dropped.where(waiting, AlertDelivery.created_at <= now - GIVEN_UP_AFTER).values(detail=why))


def channels_with_due_messages(session: Session, now: datetime) -> Sequence[AlertChannel]:
    """Over which channels there is something to send."""
    due = select(AlertDelivery.channel).where(_is_due(now)).distinct()
    return [AlertChannel(channel) for channel in session.scalars(due)]


def take_due(session: Session, channel: AlertChannel, now: datetime) -> tuple[AlertDelivery, Alert] | None:
    """The message that has been due for longest, with its alert; None when there is none left.

    The attempt counts from now on. If this process crashes before the outcome is on record, it is made again later.
    """
    due = select(AlertDelivery).where(AlertDelivery.channel == channel, _is_due(now))
    first = due.order_by(AlertDelivery.next_attempt_at, AlertDelivery.id).limit(1).with_for_update(skip_locked=True)
    delivery = session.scalar(first)
    if delivery is None:
        return None
    delivery.next_attempt_at = now + min(SHORTEST_PAUSE * 2 ** min(delivery.attempts, 10), LONGEST_PAUSE)
    delivery.attempts += 1
    return delivery, session.get_one(Alert, delivery.alert_id)


def arrived(delivery: AlertDelivery, now: datetime) -> None:
    """It is delivered."""
    delivery.status, delivery.delivered_at = DeliveryStatus.DELIVERED, now
    delivery.next_attempt_at = delivery.detail = None


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(AlertDelivery.status == DeliveryStatus.WAITING, AlertDelivery.next_attempt_at <= now)


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
