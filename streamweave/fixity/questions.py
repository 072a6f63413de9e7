"""What is asked about re-readings: of a file, of all sweeps, and what is held."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import FixityCheck, FixityHold, FixitySweep, User
from streamweave.files.questions import file_by_id

_NEWEST_CHECK = Order(FixityCheck.checked_at, FixityCheck.id, newest_first=True)
_NEWEST_SWEEP = Order(FixitySweep.started_at, FixitySweep.id, newest_first=True)
_NEWEST_HOLD = Order(FixityHold.held_at, FixityHold.id, newest_first=True)


def checks_of_file(session: Session, viewer: User, file_id: uuid.UUID, request: PageRequest) -> Page[FixityCheck]:
    """The re-readings of all copies of a file, newest first. Raises ``NotFound`` for what ``viewer`` may not see."""
    file_by_id(session, viewer, file_id)
    return page_of(session, select(FixityCheck).where(FixityCheck.file_id == file_id), _NEWEST_CHECK, request)


def sweeps(session: Session, request: PageRequest) -> Page[FixitySweep]:
    """All sweeps, newest first."""
    return page_of(session, select(FixitySweep), _NEWEST_SWEEP, request)


def holds(session: Session, request: PageRequest) -> Page[FixityHold]:
    """All holds, released ones too, newest first."""
    return page_of(session, select(FixityHold), _NEWEST_HOLD, request)
