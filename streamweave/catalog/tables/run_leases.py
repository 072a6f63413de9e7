"""Leases of runs: which runs of the orchestrator have shown lately that they live."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base


class RunLease(Base):
    """One run of Dagster that is under way. The row is there as long as the run; both times are the database's."""

    __tablename__ = "run_leases"

    dagster_run_id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
