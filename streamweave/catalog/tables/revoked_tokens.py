"""Logins that were ended before their time."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base


class RevokedToken(Base):
    """A token that counts no longer. Once it has expired by itself, its row is of no use and is swept."""

    __tablename__ = "revoked_tokens"

    token_id: Mapped[str] = mapped_column(primary_key=True, comment="the token's claim jti (RFC 7519, 4.1.7)")
    expires_at: Mapped[datetime] = mapped_column(index=True)
