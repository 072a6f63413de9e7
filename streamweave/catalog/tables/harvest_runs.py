"""Harvest runs: who holds which claims, and whether that process still lives."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Identified


class HarvestRun(Identified, Base):
    """One process that works on one instrument. Its heart beats while it lives, by the database's clock."""

    __tablename__ = "harvest_runs"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id", ondelete="CASCADE"))
    dagster_run_id: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column()
    heartbeat_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    progress: Mapped[dict[str, Any] | None] = mapped_column(
        comment="how far its transfers are, as streamweave.harvest.progress.Progress tells it"
    )

    __table_args__ = (Index("ix_harvest_runs_instrument_id", instrument_id, started_at.desc()),)
