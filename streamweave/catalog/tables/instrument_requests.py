"""Instruments that people wish to have connected."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Identified, one_of


class RequestStatus(StrEnum):
    """Where a request stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class InstrumentRequest(Identified, Dated, Base):
    """A user's wish; an admin reviews it once."""

    __tablename__ = "instrument_requests"

    requester_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    location: Mapped[str | None]
    description: Mapped[str | None]
    justification: Mapped[str]
    status: Mapped[str] = mapped_column(default=RequestStatus.PENDING)
    note: Mapped[str | None] = mapped_column(comment="what the reviewer says about it")
    reviewed_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    reviewed_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("status", RequestStatus),
        CheckConstraint("(status = 'pending') = (reviewed_at IS NULL)", name="reviewed_once"),
        Index("ix_instrument_requests_requester_id", requester_id, "created_at", "id"),
        Index("ix_instrument_requests_status", status, "created_at", "id"),
        Index(
            "ix_instrument_requests_reviewed_by_id", reviewed_by_id, postgresql_where=text("reviewed_by_id IS NOT NULL")
        ),
    )
