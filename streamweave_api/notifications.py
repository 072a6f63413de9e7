"""The viewer's own notifications."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, QueryParameter

from streamweave.access.notifications import discard_notification, mark_all_read, mark_read, notifications_of
from streamweave_api.auth import Viewer
from streamweave_api.bodies import Outgoing, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService

Unread = Annotated[bool, QueryParameter(description="Whether to leave out what was read")]


class NotificationBody(Outgoing):
    """A notification; ``kind`` is a word for programs, ``about_type`` and ``about_id`` name what it is about."""

    id: UUID
    kind: str
    subject: str
    body: str
    about_type: str | None
    about_id: UUID | None
    created_at: datetime
    read_at: datetime | None


class Read(Outgoing):
    """How many notifications were unread until now."""

    read: int


@get("/", sync_to_thread=True, summary="List notifications")
def list_notifications(
    service: TheService, viewer: Viewer, page: PageAsked, unread: Unread = False
) -> Response[list[NotificationBody]]:
    """One's own notifications, newest first."""
    return page.response(service.read(notifications_of, viewer, page, unread=unread), NotificationBody)


@post("/{notification_id:uuid}/read", sync_to_thread=True, status_code=200, summary="Mark a notification as read")
def read_notification(service: TheService, viewer: Viewer, notification_id: FromPath[UUID]) -> NotificationBody:
    """Mark one as read."""
    return shown(service.write(mark_read, viewer, notification_id), NotificationBody)


@post("/read-all", sync_to_thread=True, status_code=200, summary="Mark all notifications as read")
def read_all_notifications(service: TheService, viewer: Viewer) -> Read:
    """Mark all as read."""
    return Read(read=service.write(mark_all_read, viewer))


@delete("/{notification_id:uuid}", sync_to_thread=True, summary="Remove a notification")
def remove_notification(service: TheService, viewer: Viewer, notification_id: FromPath[UUID]) -> None:
    """Remove one for good."""
    service.write(discard_notification, viewer, notification_id)


notifications_router = Router(
    "/api/notifications",
    route_handlers=[list_notifications, read_notification, read_all_notifications, remove_notification],
    tags=["Notifications"],
)
