"""Tokens that were sent by mail, and prove who received it."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, one_of


class MailPurpose(StrEnum):
    """What a mailed token lets its receiver do."""

    RESET_PASSWORD = "reset_password"
    VERIFY = "verify"


class MailedToken(Base):
    """The latest token for a user and a purpose; used once and gone. Only its SHA-256 is kept."""

    __tablename__ = "mailed_tokens"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    token_digest: Mapped[bytes] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(comment="where it was sent: it proves nothing about another address")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (one_of("purpose", MailPurpose),)
