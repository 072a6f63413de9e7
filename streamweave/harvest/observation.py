"""Observations: what one look at a file tells about the content that stands there. Pure."""

import uuid
from datetime import datetime
from typing import Any

from streamweave.catalog.tables import Instrument, VersionState
from streamweave.catalog.tables.base import uuid7
from streamweave.instruments.acquisition import acquisition
from streamweave.sources.base import SourceFile


def observation_of(file: SourceFile, instrument: Instrument, now: datetime) -> dict[str, Any]:
    """The columns of a version that say what was seen of it just now, for the first time."""
    acquired = acquisition(
        file.mtime, timezone=instrument.timezone, first_day=instrument.first_acquisition_day, now=now
    )
    return {
        "size_bytes": file.size_bytes,
        "source_mtime": file.mtime,
        "acquisition_day": acquired.day,
        "clock_skew_seconds": acquired.clock_skew_seconds,
        "unchanged_since": now,
        "observed_at": now,
    }


def first_version(file_id: uuid.UUID, file: SourceFile, instrument: Instrument, now: datetime) -> dict[str, Any]:
    """The row of a version that was just discovered, as the first of its file."""
    return {
        "id": uuid7(),
        "file_id": file_id,
        "instrument_id": instrument.id,
        "number": 1,
        "discovered_at": now,
        "state": VersionState.UNREADABLE if file.unreadable else VersionState.SETTLING,
        "reason": file.unreadable or "seen for the first time",
        "state_since": now,
        **observation_of(file, instrument, now),
    }
