"""Alerts: what is wrong with an instrument or a storage location, from when to when, and who was notified of it."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, func, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.elements import SQLCoreOperations

from streamweave.catalog.tables.base import Base, Identified, one_of


class AlertKind(StrEnum):
    """What can be wrong. The last four are about a storage location, all others about an instrument."""

    OVERDUE_FILES = "overdue_files"  # files that need a person: overdue, failed or unreadable
    FAILING_SHARE = "failing_share"  # it can't be scanned, or the scan is not plausible
    UNLISTED_FOLDERS = "unlisted_folders"  # some of its folders can't be listed
    UNWATCHED_SHARE = "unwatched_share"  # it has not been scanned for long
    SILENT_INSTRUMENT = "silent_instrument"  # no new file for longer than is usual for it
    DAMAGED_COPIES = "damaged_copies"  # archived bytes are not what they were
    FAILING_HOOKS = "failing_hooks"  # a hook can't decide about files, or can't enrich them
    FULL_STORAGE = "full_storage"  # a storage location takes no files, or will soon take none
    UNPROVEN_STORAGE = "unproven_storage"  # a location is held after much damage, or its sweep could not do its work
    REFUSED_STORAGE = "refused_storage"  # a location's place is not what its mark should say it is
    CONFLICTING_JOURNALS = "conflicting_journals"  # what its journals say differs from the catalog


class SubjectType(StrEnum):
    """The table of what an alert is about."""

    INSTRUMENT = "instruments"
    STORAGE_LOCATION = "storage_locations"


def end_or_never(ended_at: SQLCoreOperations[datetime | None]) -> ColumnElement[datetime]:
    """An alert's place in the list, latest first: open ones come before all others."""
    return func.coalesce(ended_at, literal_column("'9999-12-31 00:00:00+00'::timestamptz"))


class Alert(Identified, Base):
    """Something that is or was wrong. Of one kind about one subject there is one open alert at most.

    ``subject`` is the name of the instrument or storage location. The row stays when that is gone.
    """

    __tablename__ = "alerts"

    kind: Mapped[str] = mapped_column()
    subject_type: Mapped[str]
    subject_id: Mapped[uuid.UUID] = mapped_column()
    subject: Mapped[str]
    sentence: Mapped[str] = mapped_column(comment="what is wrong, as it was when it was last seen")
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    began_at: Mapped[datetime] = mapped_column()
    last_seen_at: Mapped[datetime]
    away_since: Mapped[datetime | None] = mapped_column(comment="not seen since then; the alert ends a while later")
    ended_at: Mapped[datetime | None] = mapped_column()

    acknowledged_at: Mapped[datetime | None]
    acknowledged_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    acknowledgement: Mapped[str | None] = mapped_column(comment="what whoever is on it says about it")

    __table_args__ = (
        one_of("kind", AlertKind),
        one_of("subject_type", SubjectType),
        Index("uq_alerts_open", kind, subject_id, unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_alerts_place", end_or_never(ended_at).desc(), text("id DESC")),
        Index("ix_alerts_subject_id", subject_id),
    )


class AlertEvent(StrEnum):
    """What is reported of an alert."""

    BEGIN = "begin"
    END = "end"


class AlertChannel(StrEnum):
    """The channels by which users are notified."""

    NOTIFICATION = "notification"
    MAIL = "mail"
    WEBHOOK = "webhook"


class DeliveryStatus(StrEnum):
    """``waiting``: not delivered yet. ``dropped``: it never will be, and ``detail`` says why."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DROPPED = "dropped"


class AlertDelivery(Identified, Base):
    """One message about an alert to one receiver over one channel. It is tried until it is delivered or dropped.

    Its id is part of the message, so that a receiver can recognise a repeated one.
    """

    __tablename__ = "alert_deliveries"

    alert_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"))
    event: Mapped[str]
    channel: Mapped[str] = mapped_column()
    receiver: Mapped[str] = mapped_column(comment="a user's id, a mail address, or the word webhook")
    status: Mapped[str] = mapped_column(default=DeliveryStatus.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime | None] = mapped_column()
    delivered_at: Mapped[datetime | None]
    detail: Mapped[str | None] = mapped_column(comment="why the last attempt failed, or why it was dropped")

    __table_args__ = (
        one_of("event", AlertEvent),
        one_of("channel", AlertChannel),
        one_of("status", DeliveryStatus),
        CheckConstraint("(status = 'waiting') = (next_attempt_at IS NOT NULL)", name="waiting_has_a_time"),
        CheckConstraint("(status = 'delivered') = (delivered_at IS NOT NULL)", name="delivered_has_a_time"),
        UniqueConstraint("alert_id", "event", "channel", "receiver"),
        Index("ix_alert_deliveries_due", channel, next_attempt_at, postgresql_where=text("status = 'waiting'")),
    )


class AlertWatch(Base):
    """The one row with the time of the last evaluation of alerts, and since when they are evaluated without a break."""

    __tablename__ = "alert_watch"

    is_only: Mapped[bool] = mapped_column(primary_key=True, default=True)
    evaluated_at: Mapped[datetime]
    watching_since: Mapped[datetime]

    __table_args__ = (CheckConstraint("is_only", name="is_the_only_row"),)
