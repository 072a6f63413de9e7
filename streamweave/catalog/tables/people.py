"""Users, their tokens and login counts, notifications, and the audit log.

Keys of login counts are digests of accounts and addresses, so that no user's whereabouts can be read here.
"""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, false, func, text
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

    __table_args__ = (one_of("role", Role), Index("uq_users_email", func.lower(email), unique=True))

    @property
    def is_admin(self) -> bool:
        """Whether this user sees and configures everything."""
        return self.role == Role.ADMIN


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

    __table_args__ = (one_of("scope", TokenScope), Index("ix_api_tokens_user_id", user_id, created_at))


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


class RevokedToken(Base):
    """A token that was ended. Once it has expired, its row is of no use and is swept."""

    __tablename__ = "revoked_tokens"

    token_id: Mapped[str] = mapped_column(primary_key=True, comment="the token's claim jti (RFC 7519, 4.1.7)")
    expires_at: Mapped[datetime] = mapped_column(index=True)


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


class AuditAction(StrEnum):
    """What was done to a row."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"


class AuditEntry(Identified, Base):
    """One change of one row. Triggers write it (``streamweave.access.audit``), and it can't be changed afterwards.

    ``changes`` maps each changed field to ``{"before": …, "after": …}``, with secrets as ``***``. There is no foreign
    key: what an entry speaks of may be gone, the entry stays as it is.
    """

    __tablename__ = "audit_log"

    at: Mapped[datetime] = mapped_column()
    actor_id: Mapped[uuid.UUID | None] = mapped_column(comment="null: somebody who was not logged in")
    actor_email: Mapped[str | None]
    action: Mapped[str] = mapped_column()
    entity_type: Mapped[str] = mapped_column(comment="the table's name")
    entity_id: Mapped[uuid.UUID] = mapped_column()
    changes: Mapped[dict[str, Any]]

    __table_args__ = (
        one_of("action", AuditAction),
        Index("ix_audit_log_at", at.desc(), text("id DESC")),
        Index("ix_audit_log_entity", "entity_type", entity_id, at.desc(), text("id DESC")),
        Index("ix_audit_log_actor_id", actor_id, at.desc(), text("id DESC")),
    )
