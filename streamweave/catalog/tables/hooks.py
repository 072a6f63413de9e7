"""Configured steps before and after a transfer."""

import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Identified, one_of
from streamweave.catalog.tables.deletable import Deletable


class HookTrigger(StrEnum):
    """When a hook runs."""

    PRE_TRANSFER = "pre_transfer"
    POST_TRANSFER = "post_transfer"


class HookImplementation(StrEnum):
    """Whose code a hook is."""

    BUILTIN = "builtin"
    PYTHON_SCRIPT = "python_script"
    HTTP_WEBHOOK = "http_webhook"


class Hook(Identified, Dated, Deletable, Base):
    """One configured step. Without an instrument it is global: it runs for every instrument.

    Hooks run in order of ``priority`` (lowest first), then of creation.
    """

    __tablename__ = "hooks"

    name: Mapped[str]
    description: Mapped[str | None]
    trigger: Mapped[str]
    implementation: Mapped[str] = mapped_column(default=HookImplementation.BUILTIN)
    builtin_name: Mapped[str | None]
    script_path: Mapped[str | None]
    webhook_url: Mapped[str | None]
    sealed_webhook_secret: Mapped[bytes | None]
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    instrument_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("instruments.id", ondelete="CASCADE"))
    priority: Mapped[int] = mapped_column(default=0)
    enabled: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (
        one_of("trigger", HookTrigger),
        one_of("implementation", HookImplementation),
        Index("ix_hooks_instrument_id", instrument_id),
    )
