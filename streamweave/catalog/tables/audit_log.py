"""Who changed what, and when."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Identified, one_of


class AuditAction(StrEnum):
    """What was done to a row."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"


class AuditEntry(Identified, Base):
    """One change of one row. Triggers write it (``streamweave.audit``), and nobody can change it afterwards.

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
