"""What a user asks about what they were told. Nobody sees what others were told."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import Notification, User
from streamweave.errors import NotFound

_NEWEST = Order(Notification.created_at, Notification.id, newest_first=True)


def notifications_of(session: Session, user: User, request: PageRequest, *, unread: bool = False) -> Page[Notification]:
    """What the user was told, newest first; with ``unread`` only what they have not read."""
    query = select(Notification).where(Notification.user_id == user.id)
    if unread:
        query = query.where(Notification.read_at.is_(None))
    return page_of(session, query, _NEWEST, request, scope=f"{user.id} {unread}")


def notification_of(session: Session, user: User, notification_id: uuid.UUID) -> Notification:
    """Raises ``NotFound`` for what was not told to this user."""
    notification = session.get(Notification, notification_id)
    if notification is None or notification.user_id != user.id:
        raise NotFound("Notification")
    return notification
