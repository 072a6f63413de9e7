"""When instruments are harvested, and into which storage location."""

import uuid

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from streamweave.catalog.tables.base import Base, Dated, Identified
from streamweave.catalog.tables.deletable import Deletable
from streamweave.catalog.tables.instruments import Instrument
from streamweave.catalog.tables.storage_locations import StorageLocation


class Schedule(Identified, Dated, Deletable, Base):
    """A cron line (in the instrument's time zone) that harvests an instrument into a storage location."""

    __tablename__ = "schedules"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id", ondelete="CASCADE"))
    default_storage_location_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("storage_locations.id"))
    cron_expression: Mapped[str]
    dagster_schedule_name: Mapped[str] = mapped_column(unique=True)
    enabled: Mapped[bool] = mapped_column(default=True)

    instrument: Mapped[Instrument] = relationship()
    default_storage_location: Mapped[StorageLocation] = relationship()

    __table_args__ = (
        Index("ix_schedules_instrument_id", instrument_id),
        Index("ix_schedules_default_storage_location_id", default_storage_location_id),
    )
