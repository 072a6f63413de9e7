"""How often somebody has tried to log in, and from where they have succeeded.

Keys are digests of accounts and addresses: nobody's whereabouts can be read here.
"""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base


class LoginCount(Base):
    """Attempts under one key until ``ends_at``: the end of the window, or of the lock once all are used up."""

    __tablename__ = "login_counts"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    attempts: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(index=True)


class KnownAddress(Base):
    """An address from which an account has logged in: strangers' attempts don't lock it out."""

    __tablename__ = "known_addresses"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime] = mapped_column(index=True)
