"""Rehashing: one round of reading archived files again at the source.

It belongs to the runs that look at a whole share, and comes last in them: a sensor's tick has no time for it, and new
files go first. It ends after a minute, or as soon as new files wait, and reads over a single connection at the
instrument's own pace, in its hours.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from streamweave.catalog.bulk import batches
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import Instrument
from streamweave.errors import SourceError
from streamweave.facility import Facility
from streamweave.harvest.backlog import days_with_work
from streamweave.harvest.limits import Limits, Pace, closed_until, limits_of
from streamweave.harvest.policy import policy_for
from streamweave.rehash.findings import record_findings
from streamweave.rehash.rereading import Finding, Reread, Restraint, reread
from streamweave.rehash.sampling import pay, sample

SECONDS = 60.0
WORK_ASKED_EVERY_SECONDS = 5.0
RECORDED_AT_ONCE = 200


@dataclass(slots=True)
class RehashReport:
    """What one round found. ``changed`` are the paths of files that get a further version."""

    counts: Counter[Finding] = field(default_factory=Counter)
    bytes: int = 0
    changed: list[str] = field(default_factory=list)
    pause: str = ""
    trouble: SourceError | None = None

    def sentence(self) -> str:
        """The outcome for a person."""
        if self.pause:
            return f"nothing read again: {self.pause}"
        told = f"{self.counts.total()} archived files read again at the source ({self.bytes} bytes): " + ", ".join(
            f"{self.counts[finding]} {finding}" for finding in Finding
        )
        return f"{told}; ended early: {self.trouble}" if self.trouble else told


def rehash(facility: Facility, instrument: Instrument) -> RehashReport:
    """Read a share of the archived files again; what differs becomes a version that settles as any other.

    A share that fails meanwhile is the report's ``trouble``: the next look tells the same.
    """
    limits, report = limits_of(instrument), RehashReport()
    if (opening := limits.opens_at(facility.now())) is not None:
        report.pause = closed_until(opening)
        return report
    with facility.sessions() as session:
        subjects = sample(session, session.get_one(Instrument, instrument.id))
    try:
        with closing(facility.open_source(instrument)) as source:
            found = reread(source, subjects, _restraint(facility, instrument, limits)) if subjects else ()
            for batch in batches(found, RECORDED_AT_ONCE):
                _record(facility, instrument, batch, report)
    except SourceError as error:
        report.trouble = error
    with facility.sessions.begin() as session:
        pay(session, instrument, report.bytes)
    return report


def _record(facility: Facility, instrument: Instrument, batch: Sequence[Reread], report: RehashReport) -> None:
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        report.changed += record_findings(session, instrument, batch, facility.now())
    report.counts.update(finding for _, finding, _ in batch)
    report.bytes += sum(read for _, _, read in batch)


def _restraint(facility: Facility, instrument: Instrument, limits: Limits) -> Restraint:
    ends_at = time.monotonic() + SECONDS
    gives_way = _asked_now_and_then(lambda: _has_work(facility, instrument))

    def may_begin() -> bool:
        return time.monotonic() < ends_at and limits.opens_at(facility.now()) is None and not gives_way()

    return Restraint(Pace(limits.bytes_per_second).take, may_begin, gives_way)


def _asked_now_and_then(question: Callable[[], bool]) -> Callable[[], bool]:
    """The answer, asked anew every few seconds; for good once it is yes."""
    asked_at, answer = time.monotonic(), False

    def ask() -> bool:
        nonlocal asked_at, answer
        if not answer and time.monotonic() - asked_at >= WORK_ASKED_EVERY_SECONDS:
            asked_at, answer = time.monotonic(), question()
        return answer

    return ask


def _has_work(facility: Facility, instrument: Instrument) -> bool:
    with facility.sessions() as session:
        return bool(
            days_with_work(session, instrument, policy_for(session, instrument, facility.reach), facility.now())
        )
