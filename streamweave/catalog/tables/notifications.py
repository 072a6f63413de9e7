"""What people are told."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Identified


class Notification(Identified, Base):
    """One message for one user; ``about_type`` and ``about_id`` name the row that it is about."""

    __tablename__ = "notifications"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    about_type: Mapped[str | None]
    about_id: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())
    read_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (
        Index("ix_notifications_user_id", user_id, created_at.desc(), text("id DESC")),
        Index(
            "ix_notifications_unread",
            user_id,
            created_at.desc(),
            text("id DESC"),
            postgresql_where=text("read_at IS NULL"),
        ),
    )
