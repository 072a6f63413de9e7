"""A catalog with files whose archived copies are really there."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streamweave import ark
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    FileGrant,
    FileRecord,
    FileVersion,
    Transfer,
    TransferStatus,
    User,
    VersionState,
)

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)


@dataclass
class Shelf:
    """Puts files into the catalog, and their content into the storage location."""

    sessions: Sessions
    instrument: dict[str, Any]
    location: dict[str, Any]
    count: int = 0

    def put(self, path: str, content: bytes | None = b"0,1\n", **values: Any) -> str:
        """A file of version 1; archived unless ``content`` is None. Its id."""
        self.count += 1
        discovered_at = NOON + timedelta(minutes=self.count)
        size = len(content or b"")
        record = FileRecord(
            **{
                "id": uuid.uuid4(),
                "instrument_id": uuid.UUID(self.instrument["id"]),
                "source_path": path,
                "folder": path.rpartition("/")[0],
                "filename": path.rpartition("/")[2],
                "persistent_id": ark.mint("99999", "fk4"),
                "size_bytes": size,
                "source_mtime": NOON,
                "first_discovered_at": discovered_at,
                **values,
            }
        )
        with self.sessions.begin() as session:
            session.add(record)
        self.add_version(str(record.id), content, 1)
        return str(record.id)

    def add_version(
        self,
        file_id: str,
        content: bytes | None,
        number: int,
        *,
        size: int | None = None,
        state: VersionState | None = None,
    ) -> None:
        """The newest version of a file, with its copy in the storage location."""
        at = NOON + timedelta(hours=number)
        with self.sessions.begin() as session:
            record = session.get_one(FileRecord, uuid.UUID(file_id))
            session.query(FileVersion).filter_by(file_id=record.id).update({"is_newest": False})
            version = FileVersion(
                id=uuid.uuid4(),
                file_id=record.id,
                instrument_id=record.instrument_id,
                number=number,
                size_bytes=record.size_bytes if size is None else size,
                source_mtime=NOON,
                acquisition_day=NOON.date(),
                sha256=None if content is None else hashlib.sha256(content).hexdigest(),
                state=state or (VersionState.SETTLING if content is None else VersionState.ARCHIVED),
                state_since=at,
                discovered_at=at,
                unchanged_since=at,
                observed_at=at,
                archived_at=None if content is None else at,
            )
            session.add(version)
            session.flush()
            if content is not None and version.state == VersionState.ARCHIVED:
                self._copy(session, record, version, content)

    def _copy(self, session: Any, record: FileRecord, version: FileVersion, content: bytes) -> None:
        path = f"{record.id}/{version.number}"
        place = self.place(str(record.id), version.number)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        session.add(
            Transfer(
                file_id=record.id,
                version_id=version.id,
                instrument_id=record.instrument_id,
                storage_location_id=uuid.UUID(self.location["id"]),
                destination_path=path,
                status=TransferStatus.COMPLETED,
                checksum_verified=True,
                created_at=version.discovered_at,
                started_at=version.discovered_at,
                completed_at=version.archived_at,
            )
        )

    def place(self, file_id: str, number: int = 1) -> Path:
        """Where a version's copy stands."""
        return Path(self.location["base_path"]) / file_id / str(number)

    def show(self, file_id: str, email: str) -> None:
        """Grant the file to a user."""
        with self.sessions.begin() as session:
            user = session.query(User).filter_by(email=email).one()
            session.add(FileGrant(file_id=uuid.UUID(file_id), user_id=user.id, discovered_at=NOON))

    def ark_of(self, file_id: str) -> str:
        """The file's identifier."""
        with self.sessions() as session:
            return session.get_one(FileRecord, uuid.UUID(file_id)).persistent_id


@pytest.fixture
def shelf(sessions: Sessions, instrument: dict[str, Any], location: dict[str, Any]) -> Shelf:
    """An empty shelf."""
    return Shelf(sessions, instrument, location)


@pytest.fixture
def listed(api: Any) -> Callable[..., list[str]]:
    """The paths of the files that a query finds, in order."""

    def ask(headers: dict[str, str] | None = None, **query: Any) -> list[str]:
        answer = api.get("/api/files", params={key.replace("__", "."): query[key] for key in query}, headers=headers)
        assert answer.status_code == 200, answer.text
        return [body["source_path"] for body in answer.json()]

    return ask
