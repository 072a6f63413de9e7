"""A facility whose clock we move, with what looks and harvests would have put on record."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from streamweave import ark
from streamweave.alerts.channels import Channels
from streamweave.alerts.conditions import Condition
from streamweave.alerts.evaluate import Evaluation, evaluate_alerts, what_is_wrong
from streamweave.alerts.storage_conditions import Space
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    Alert,
    AlertDelivery,
    FileRecord,
    FileVersion,
    Instrument,
    Notification,
    Role,
    Scan,
    ScanOutcome,
    StorageLocation,
    Transfer,
    User,
    VersionState,
)
from streamweave.facility import Facility

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass
class Watchtower:
    """What a test does to the facility's catalog, and what it sees of its alerts."""

    sessions: Sessions
    time: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    channels: Channels = field(default_factory=Channels)

    @property
    def facility(self) -> Facility:
        return Facility(
            sessions=self.sessions,
            open_source=lambda instrument: pytest.fail("alerts look at no share"),
            open_storage=lambda location: pytest.fail("alerts open no storage"),
            mint_identifier=lambda: ark.mint("99999", "fk4"),
            now=lambda: self.time,
        )

    def wait(self, **time: float) -> None:
        self.time += timedelta(**time)

    def evaluate(self) -> Evaluation:
        return evaluate_alerts(self.facility, self.channels)

    def evaluate_for(self, minutes: int) -> None:
        """Evaluate every five minutes, as the sensor does more often."""
        for _ in range(0, minutes, 5):
            self.wait(minutes=5)
            self.evaluate()

    def wrong(
        self, watching_since: datetime = LONG_AGO, spaces: Mapping[uuid.UUID, Space | None] | None = None
    ) -> list[Condition]:
        """What is wrong at this moment."""
        with self.sessions() as session:
            return what_is_wrong(session, spaces or {}, self.time, watching_since).conditions

    def kinds(self, **asked: Any) -> list[str]:
        return [str(condition.kind) for condition in self.wrong(**asked)]

    def add(self, row: Any) -> Any:
        with self.sessions.begin() as session:
            session.add(row)
        return row

    def change(self, row: Any, **values: Any) -> None:
        with self.sessions.begin() as session:
            stored = session.get_one(type(row), row.id)
            for name, value in values.items():
                setattr(stored, name, value)

    def all(self, table: type[Any]) -> list[Any]:
        with self.sessions() as session:
            return list(session.scalars(select(table).order_by(table.id)))

    def alerts(self) -> list[Alert]:
        return self.all(Alert)

    def deliveries(self, channel: str) -> list[AlertDelivery]:
        return [each for each in self.all(AlertDelivery) if each.channel == channel]

    def notifications(self) -> list[str]:
        return [each.subject for each in self.all(Notification)]

    def add_admin(self, name: str = "admin") -> User:
        return self.add(User(email=f"{name}@test.org", password_hash="none", role=Role.ADMIN))

    def add_instrument(self, name: str = "Microscope 01", **fields: Any) -> Instrument:
        slug = name.lower().replace(" ", "_")
        given = {"cifs_host": "pc", "cifs_share": "share", "created_at": LONG_AGO, "updated_at": LONG_AGO, **fields}
        return self.add(Instrument(slug=slug, name=name, archive_folder=name, **given))

    def add_location(self, name: str = "Archive") -> StorageLocation:
        """In a bucket: how full this machine's own disk is must change nothing."""
        return self.add(StorageLocation(name=name, type="s3", base_path=f"s3://{name.lower()}"))

    def look(self, instrument: Instrument, outcome: str = ScanOutcome.COMPLETE, **fields: Any) -> None:
        """A look that has just ended."""
        times = {"started_at": self.time - timedelta(seconds=5), "finished_at": self.time}
        self.add(Scan(instrument_id=instrument.id, outcome=outcome, **{**times, **fields}))

    def fail(self, instrument: Instrument, kind: str = "source_unreachable", message: str = "no answer") -> None:
        self.look(instrument, ScanOutcome.FAILED, error_kind=kind, error_message=message)

    def discover(
        self, instrument: Instrument, name: str | None = None, state: str = VersionState.SETTLED, **fields: Any
    ) -> FileVersion:
        """A file that was found just now."""
        name = name or f"{uuid.uuid4().hex}.csv"
        record = FileRecord(
            instrument_id=instrument.id,
            source_path=f"share/{name}",
            folder="share",
            filename=name,
            persistent_id=ark.mint("99999", "fk4"),
            size_bytes=1,
            source_mtime=self.time,
            first_discovered_at=self.time,
        )
        self.add(record)
        times = dict.fromkeys(["state_since", "discovered_at", "unchanged_since", "observed_at"], self.time)
        given = {"sha256": "0" * 64 if state == VersionState.ARCHIVED else None, **times, **fields}
        return self.add(
            FileVersion(
                file_id=record.id,
                instrument_id=instrument.id,
                number=1,
                size_bytes=1,
                source_mtime=self.time,
                acquisition_day=self.time.date(),
                state=state,
                **given,
            )
        )

    def transfer(self, version: FileVersion, location: StorageLocation, status: str, **fields: Any) -> Transfer:
        ended = None if status in {"pending", "in_progress"} else self.time
        given = {"created_at": self.time, "completed_at": ended, "checksum_verified": status == "completed", **fields}
        of_it = {"file_id": version.file_id, "version_id": version.id, "instrument_id": version.instrument_id}
        return self.add(Transfer(storage_location_id=location.id, status=status, **of_it, **given))


@pytest.fixture
def tower(sessions: Sessions) -> Watchtower:
    return Watchtower(sessions)


@pytest.fixture
def microscope(tower: Watchtower) -> Instrument:
    return tower.add_instrument()
