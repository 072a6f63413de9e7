"""Cleanups: a person says that files are missing from a share because somebody cleaned up. The caller commits."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from streamweave.catalog.session import change
from streamweave.catalog.tables import Instrument
from streamweave.instruments.instruments import instrument_by_id

VALID_FOR = timedelta(hours=24)


def acknowledge_cleanup(session: Session, instrument_id: uuid.UUID) -> Instrument:
    """Let the next look that is in doubt be believed: that one alone, if it comes within a day. Raises ``NotFound``."""
    return change(session, instrument_by_id(session, instrument_id), {"cleanup_acknowledged_at": func.now()})


def use_acknowledgement(session: Session, instrument_id: uuid.UUID, now: datetime) -> bool:
    """Whether a person's word covers the look in doubt; it covers no other one afterwards."""
    used = (
        update(Instrument)
        .where(Instrument.id == instrument_id, Instrument.cleanup_acknowledged_at >= now - VALID_FOR)
        .values(cleanup_acknowledged_at=None, updated_at=Instrument.updated_at)
        .returning(Instrument.id)
    )
    return session.scalar(used) is not None
