"""What a user can do to a file. The caller commits."""

import uuid

from sqlalchemy import func
from sqlalchemy.orm import Session

from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import FileVersion, User, VersionState
from streamweave.errors import Conflict
from streamweave.files.queries import file_by_id
from streamweave.validation import Rule, checked, text

WITHDRAWAL: dict[str, Rule] = {"reason": text()}
ASKED = "a user asked to try again"


def try_again(session: Session, viewer: User, file_id: uuid.UUID) -> FileVersion:
    """Schedule a failed file anew, from the filter on, with all of its attempts.

    Raises ``NotFound`` as ``file_by_id`` does, and ``Conflict`` when its newest version has not failed.
    """
    version = file_by_id(session, viewer, file_id)
    lock_instrument(session, version.instrument_id)
    session.refresh(version)
    if version.state != VersionState.FAILED:
        raise Conflict(f"only a failed file can be tried again; this one is {version.state}")
    version.state = VersionState.SETTLED
    version.reason = ASKED
    version.state_since = func.now()
    version.failures = 0
    version.retry_at = None
    session.flush()
    session.refresh(version)
    return version


def withdraw(session: Session, viewer: User, file_id: uuid.UUID, reason: str) -> FileVersion:
    """Hide a file from all but admins; its identifier leads to a tombstone with ``reason``. The archive keeps it.

    Raises ``NotFound`` as ``file_by_id`` does, ``InvalidInput``, and ``Conflict`` when it is withdrawn already.
    """
    version = file_by_id(session, viewer, file_id)
    if version.file.withdrawn_at is not None:
        raise Conflict("this file is withdrawn already")
    version.file.withdrawn_reason = checked(WITHDRAWAL, {"reason": reason})["reason"]
    version.file.withdrawn_at = func.now()
    version.file.withdrawn_by_id = viewer.id
    session.flush()
    session.refresh(version.file)
    return version


def reinstate(session: Session, viewer: User, file_id: uuid.UUID) -> FileVersion:
    """Reinstate a withdrawn file. Raises ``NotFound``, and ``Conflict`` when the file is not withdrawn."""
    version = file_by_id(session, viewer, file_id)
    record = version.file
    if record.withdrawn_at is None:
        raise Conflict("this file is not withdrawn")
    record.withdrawn_at = record.withdrawn_reason = record.withdrawn_by_id = None
    session.flush()
    return version
