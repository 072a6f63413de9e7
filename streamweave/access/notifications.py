"""Notifications: messages to single users, which no other user sees. The caller commits."""

import uuid
from collections.abc import Iterable

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.deletion import remove
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import Notification, Role, User
from streamweave.catalog.tables.base import Identified
from streamweave.errors import NotFound

_NEWEST = Order(Notification.created_at, Notification.id, newest_first=True)


def notifications_of(session: Session, user: User, request: PageRequest, *, unread: bool = False) -> Page[Notification]:
    """The user's notifications, newest first; with ``unread`` only unread ones."""
    query = select(Notification).where(Notification.user_id == user.id)
    if unread:
        query = query.where(Notification.read_at.is_(None))
    return page_of(session, query, _NEWEST, request, scope=f"{user.id} {unread}")


def notification_of(session: Session, user: User, notification_id: uuid.UUID) -> Notification:
    """Raises ``NotFound``, also for another user's."""
    notification = session.get(Notification, notification_id)
    if notification is None or notification.user_id != user.id:
        raise NotFound("Notification")
    return notification


def notify(
    session: Session,
    user_ids: Iterable[uuid.UUID],
    *,
    kind: str,
    subject: str,
    body: str,
    about: Identified | None = None,
) -> None:
    """Notify each of these users. ``kind`` is a word for programs, ``about`` the row that it is about."""
    about_type = None if about is None else str(about.__tablename__)  # type: ignore[attr-defined]  # rows have a table
    about_id = None if about is None else about.id
    told = {"kind": kind, "subject": subject, "body": body, "about_type": about_type, "about_id": about_id}
    session.add_all(Notification(user_id=user_id, **told) for user_id in user_ids)
    session.flush()


def all_admins(session: Session) -> list[uuid.UUID]:
    """The ids of all active admins."""
    return list(session.scalars(select(User.id).where(User.role == Role.ADMIN, User.is_active)))


def mark_read(session: Session, user: User, notification_id: uuid.UUID) -> Notification:
    """Mark it as read; the first time counts. Raises ``NotFound``, also for another user's."""
    notification = notification_of(session, user, notification_id)
    if notification.read_at is None:
        notification.read_at = func.statement_timestamp()
        session.flush()
        session.refresh(notification)
    return notification


def mark_all_read(session: Session, user: User) -> int:
    """Mark all as read; returns how many were unread."""
    unread = update(Notification).where(Notification.user_id == user.id, Notification.read_at.is_(None))
    read = session.scalars(unread.values(read_at=func.statement_timestamp()).returning(Notification.id))
    return len(read.all())


def discard_notification(session: Session, user: User, notification_id: uuid.UUID) -> None:
    """Remove it permanently. Raises ``NotFound``, also for another user's."""
    remove(session, Notification, notification_id, "Notification", user_id=user.id)
