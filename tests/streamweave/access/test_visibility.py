from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from streamweave.access.visibility import visible_files
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileRecord, Role, User
from streamweave.instruments.commands import create_instrument


@pytest.mark.parametrize(("role", "seen"), [(Role.ADMIN, 1), (Role.USER, 0)])
def test_files_are_private_to_all_but_admins(sessions: Sessions, role: Role, seen: int) -> None:
    now = datetime(2026, 2, 24, tzinfo=UTC)
    with sessions.begin() as session:
        instrument = create_instrument(session, {"name": "Microscope 01", "cifs_host": "a", "cifs_share": "a"})
        session.add(
            FileRecord(
                instrument_id=instrument.id,
                source_path="a/scan_01.csv",
                folder="a",
                filename="scan_01.csv",
                persistent_id="ark:/99999/fk41",
                size_bytes=23,
                source_mtime=now,
                first_discovered_at=now,
            )
        )
        viewer = User(email="viewer@test.org", password_hash="none", role=role)
        session.flush()
        assert session.scalar(select(func.count()).select_from(FileRecord).where(visible_files(viewer))) == seen
