"""People who log in."""

from enum import StrEnum

from sqlalchemy import Index, false, func
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Identified, one_of


class Role(StrEnum):
    """What a user may do: an admin sees and configures all, a user sees what is granted."""

    ADMIN = "admin"
    USER = "user"


class User(Identified, Dated, Base):
    """A person with an e-mail address and a password (as an argon2 hash)."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column()
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(default=Role.USER)
    is_active: Mapped[bool] = mapped_column(default=True)
    is_verified: Mapped[bool] = mapped_column(default=False)
    awaits_verification: Mapped[bool] = mapped_column(
        default=False, server_default=false(), comment="registered by mail, and can't log in before it is verified"
    )
    token_version: Mapped[int] = mapped_column(
        default=0, server_default="0", comment="counted up to end all tokens issued before"
    )

    __table_args__ = (
        one_of("role", Role),
        Index("uq_users_email", func.lower(email), unique=True),
    )

    @property
    def is_admin(self) -> bool:
        """Whether this user sees and configures everything."""
        return self.role == Role.ADMIN
