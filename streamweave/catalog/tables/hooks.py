"""Hooks: configured steps before and after a transfer, and the recorded runs of those that call out."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from streamweave.catalog.tables.base import Base, Dated, Deletable, Identified, one_of
from streamweave.catalog.tables.files import FileVersion


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


class HookOutcome(StrEnum):
    """What came of a run."""

    PROCEED = "proceed"
    SKIP = "skip"
    REDIRECT = "redirect"
    ENRICHED = "enriched"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


FAILURES = (HookOutcome.FAILED, HookOutcome.TIMED_OUT)


class HookRetry(Base):
    """A version for which a hook that calls out has failed, until all hooks have answered about it."""

    __tablename__ = "hook_retries"

    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_versions.id", ondelete="CASCADE"), primary_key=True)
    failures: Mapped[int] = mapped_column(comment="of one hook, in a row")
    hook_id: Mapped[uuid.UUID | None] = mapped_column(comment="the one that failed")
    hooks: Mapped[str] = mapped_column(comment="fingerprint of the hooks of which one failed")
    retry_at: Mapped[datetime] = mapped_column(comment="these hooks are not asked before")


class HookRun(Identified, Base):
    """One run of one hook for one version. ``message`` is a sentence for everyone who may see the file.

    Hooks that are built in are not on record: they are instant, and what they say follows from their configuration.
    """

    __tablename__ = "hook_runs"

    hook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hooks.id", ondelete="CASCADE"))
    file_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_records.id", ondelete="CASCADE"))
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("file_versions.id", ondelete="CASCADE"))
    trigger: Mapped[str] = mapped_column()
    started_at: Mapped[datetime] = mapped_column()
    seconds: Mapped[float]
    outcome: Mapped[str] = mapped_column()
    message: Mapped[str]
    diagnostics: Mapped[str | None] = mapped_column(comment="the end of a script's standard error, for admins")

    hook: Mapped[Hook] = relationship()
    version: Mapped[FileVersion] = relationship()

    __table_args__ = (
        one_of("trigger", HookTrigger),
        one_of("outcome", HookOutcome),
        Index("ix_hook_runs_started_at", started_at.desc(), text("id DESC")),
        Index("ix_hook_runs_hook_id", hook_id, started_at.desc(), text("id DESC")),
        Index("ix_hook_runs_file_id", file_id, started_at.desc(), text("id DESC")),
        Index("ix_hook_runs_version_id", "version_id"),
        Index(
            "ix_hook_runs_failed",
            started_at.desc(),
            text("id DESC"),
            postgresql_where=text("outcome IN ('failed', 'timed_out')"),
        ),
    )
