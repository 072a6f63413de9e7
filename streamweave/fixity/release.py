"""Release: a person has looked at a location that is held. The caller commits."""

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from streamweave.catalog.tables import FixityHold, User
from streamweave.errors import Conflict, NotFound
from streamweave.fixity.guard import lock_location


def release(session: Session, viewer: User, hold_id: uuid.UUID, now: datetime) -> FixityHold:
    """Let sweeps and repairs go on where too much was damaged.

    The next sweep re-reads what was found; what is still damaged then is concluded to be so, and repaired. Raises
    ``NotFound``, and ``Conflict`` when it was released already.
    """
    hold = session.get(FixityHold, hold_id)
    if hold is None:
        raise NotFound("Hold")
    lock_location(session, hold.storage_location_id)
    session.refresh(hold)
    if hold.released_at is not None:
        raise Conflict("this hold was released already")
    hold.released_at = now
    hold.released_by_id = viewer.id
    session.flush()
    session.refresh(hold)
    return hold
