"""Conditions: what is wrong at this moment. Each is, or becomes, one alert. And how the last scans of the shares went,
which is read once for all conditions about them.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, exists, select
from sqlalchemy.orm import Session, aliased

from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import AlertKind, Instrument, Scan, ScanOutcome, StorageLocation, SubjectType

GRACE = timedelta(minutes=15)
"""A share may fail for so long: the control PC may be restarting."""
SEEN_WHOLE_WITHIN = timedelta(days=1)
NOT_GOOD = (ScanOutcome.FAILED, ScanOutcome.SUSPECT)
WHOLE = (ScanOutcome.COMPLETE, ScanOutcome.SUSPECT)

_Last, _Earlier, _LastWhole, _EarlierWhole = (aliased(Scan) for _ in range(4))


class Key(NamedTuple):
    """Identifies a condition: its kind, and the id of what it is about."""

    kind: str
    subject_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Condition:
    """Something is wrong. ``sentence`` says what, for a person; ``details`` are figures and names, as JSON has them."""

    kind: AlertKind
    subject_type: SubjectType
    subject_id: uuid.UUID
    subject: str
    sentence: str
    details: Mapping[str, Any]

    @property
    def key(self) -> Key:
        """What it is recognised by."""
        return Key(self.kind, self.subject_id)


Finding = Condition | Key
"""A condition, or the key of one of which it is not known whether it holds."""


@dataclass(slots=True)
class Findings:
    """What is wrong at this moment. An open alert whose condition is ``unknown`` is neither renewed nor ended."""

    conditions: list[Condition] = field(default_factory=list)
    unknown: set[Key] = field(default_factory=set)


def about_instrument(
    kind: AlertKind, instrument: Instrument, sentence: str, details: Mapping[str, Any] | None = None
) -> Condition:
    """Something is wrong with an instrument, its share or its files."""
    return Condition(kind, SubjectType.INSTRUMENT, instrument.id, instrument.name, sentence, details or {})


def about_location(
    kind: AlertKind, location: StorageLocation, sentence: str, details: Mapping[str, Any] | None = None
) -> Condition:
    """Something is wrong with a storage location, or with what it holds."""
    return Condition(kind, SubjectType.STORAGE_LOCATION, location.id, location.name, sentence, details or {})


@dataclass(frozen=True, slots=True)
class LastScans:
    """The finished scans of the share of one enabled instrument, as far as they matter.

    ``earlier`` is the last one that began before the grace, ``succeeded`` says whether one has succeeded since then,
    and ``seen_whole`` whether one was complete within a day, since alerts are evaluated. ``last_whole`` and
    ``earlier_whole`` are the same among those that listed the whole share, plausible or not; ``saw_every_folder`` says
    whether one of them could list every folder since the grace began.
    """

    instrument: Instrument
    last: Scan | None
    earlier: Scan | None
    succeeded: bool
    seen_whole: bool
    last_whole: Scan | None
    earlier_whole: Scan | None
    saw_every_folder: bool

    @property
    def last_is_good(self) -> bool:
        return self.last is not None and self.last.outcome not in NOT_GOOD


def last_scans(session: Session, now: datetime, watching_since: datetime) -> Sequence[LastScans]:
    """The last scans of all enabled instruments. Of older scans no row is read."""
    whole_since = max(watching_since, now - SEEN_WHOLE_WITHIN)
    rows = session.execute(
        listing(Instrument)
        .where(Instrument.enabled)
        .add_columns(
            _Last,
            _Earlier,
            _any(Scan.started_at > now - GRACE, Scan.outcome.not_in(NOT_GOOD)),
            _any(Scan.started_at >= whole_since, Scan.outcome == ScanOutcome.COMPLETE),
            _LastWhole,
            _EarlierWhole,
            _any(Scan.started_at > now - GRACE, Scan.outcome.in_(WHOLE), Scan.unreadable_folders == 0),
        )
        .select_from(Instrument)
        .outerjoin(_Last, _Last.id == _newest())
        .outerjoin(_Earlier, _Earlier.id == _newest(Scan.started_at <= now - GRACE))
        .outerjoin(_LastWhole, _LastWhole.id == _newest(Scan.outcome.in_(WHOLE)))
        .outerjoin(_EarlierWhole, _EarlierWhole.id == _newest(Scan.started_at <= now - GRACE, Scan.outcome.in_(WHOLE)))
        .order_by(Instrument.created_at, Instrument.id)
    )
    return [LastScans(*row) for row in rows]


def _newest(*which: ColumnElement[bool]) -> ScalarSelect[Any]:
    finished = select(Scan.id).where(Scan.instrument_id == Instrument.id, Scan.finished_at.is_not(None), *which)
    return finished.order_by(Scan.started_at.desc()).limit(1).scalar_subquery()


def _any(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(Scan.instrument_id == Instrument.id, Scan.finished_at.is_not(None), *which)
