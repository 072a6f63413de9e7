import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, Instrument, Role, User

Made = Callable[..., FileRecord]
NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)


@pytest.fixture
def add_user() -> Callable[..., User]:
    """Adds a user whose address is verified unless said otherwise."""

    def add(session: Session, email: str, *, role: Role = Role.USER, is_verified: bool = True) -> User:
        user = User(email=email, password_hash="none", role=role, is_verified=is_verified)
        session.add(user)
        session.flush()
        return user

    return add


@pytest.fixture
def add_instrument() -> Callable[[Session, str], Instrument]:
    """Adds an instrument of that name."""

    def add(session: Session, name: str) -> Instrument:
        row = Instrument(slug=name, name=name, cifs_host="host", cifs_share="microscope", archive_folder=name)
        session.add(row)
        session.flush()
        return row

    return add


@pytest.fixture
def add_record() -> Made:
    """Adds a file of an instrument by its source path."""

    def add(
        session: Session, instrument: Instrument, path: str, owner: User | None = None, number: int = 0
    ) -> FileRecord:
        record = FileRecord(
            instrument_id=instrument.id,
            source_path=path,
            folder=path.rpartition("/")[0],
            filename=path.rpartition("/")[2],
            persistent_id=f"ark:/99999/fk4{uuid.uuid4().hex}",
            size_bytes=23,
            source_mtime=NOON,
            first_discovered_at=NOON + timedelta(minutes=number),
            owner_id=owner.id if owner else None,
        )
        session.add(record)
        session.flush()
        return record

    return add
