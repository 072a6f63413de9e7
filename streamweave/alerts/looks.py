"""How the looks at the shares went: what is asked once for all questions about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, exists, select
from sqlalchemy.orm import Session, aliased

from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import Instrument, Scan, ScanOutcome

GRACE = timedelta(minutes=15)
"""A share may fail for so long: somebody restarts the control PC."""
SEEN_WHOLE_WITHIN = timedelta(days=1)
NOT_GOOD = (ScanOutcome.FAILED, ScanOutcome.SUSPECT)

WHOLE = (ScanOutcome.COMPLETE, ScanOutcome.SUSPECT)

_Last, _Earlier, _LastWhole, _EarlierWhole = (aliased(Scan) for _ in range(4))


@dataclass(frozen=True, slots=True)
class Looks:
    """The finished looks at the share of one enabled instrument, as far as they matter.

    ``earlier`` is the last one that began before the grace, ``succeeded`` says whether one has gone well since then,
    and ``seen_whole`` whether the whole share was seen lately, since we began to watch. ``last_whole`` and
    ``earlier_whole`` are the like among those that saw the whole share, believed or not; ``saw_every_folder`` says
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
        """Whether the last look saw something that is to be believed."""
        return self.last is not None and self.last.outcome not in NOT_GOOD


def looks_at_shares(session: Session, now: datetime, watching_since: datetime) -> Sequence[Looks]:
    """The looks at all instruments that are enabled. None of the scans before the last few is touched."""
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
    return [Looks(*row) for row in rows]


def _newest(*which: ColumnElement[bool]) -> ScalarSelect[Any]:
    finished = select(Scan.id).where(Scan.instrument_id == Instrument.id, Scan.finished_at.is_not(None), *which)
    return finished.order_by(Scan.started_at.desc()).limit(1).scalar_subquery()


def _any(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(Scan.instrument_id == Instrument.id, Scan.finished_at.is_not(None), *which)
