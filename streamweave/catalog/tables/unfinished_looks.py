"""Unfinished looks: how far the last look at a share came before its time was over."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base


class UnfinishedLook(Base):
    """What the next look at an instrument's share need not list again. There is none after a look that saw all."""

    __tablename__ = "unfinished_looks"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str] = mapped_column(comment="of the folder that was looked at")
    started_at: Mapped[datetime] = mapped_column(comment="when the first of the looks began that saw this")
    cut_short_at: Mapped[datetime]
    folders: Mapped[bytes] = mapped_column(comment="MD5 of each folder without folders that was seen, 16 bytes each")
    missing: Mapped[bytes] = mapped_column(comment="MD5 of each known path that was missing in them, 16 bytes each")
    files: Mapped[int] = mapped_column(comment="how many files stand in them")
