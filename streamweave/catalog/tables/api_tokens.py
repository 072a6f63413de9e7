"""Personal tokens for programs."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Identified, one_of


class TokenScope(StrEnum):
    """What a token may be used for: to read what its user sees, or for everything that an admin may do."""

    READ = "read"
    ADMIN = "admin"


class ApiToken(Identified, Base):
    """A token that was shown once to its user; only its SHA-256 is kept."""

    __tablename__ = "api_tokens"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    scope: Mapped[str] = mapped_column(default=TokenScope.READ)
    token_digest: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.statement_timestamp())
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None] = mapped_column(comment="to the minute")

    __table_args__ = (
        one_of("scope", TokenScope),
        Index("ix_api_tokens_user_id", user_id, created_at),
    )
