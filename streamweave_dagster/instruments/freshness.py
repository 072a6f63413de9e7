"""Freshness: has the share of an instrument been looked at lately, and with what outcome?"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from streamweave.catalog.tables import Instrument, Scan, ScanOutcome, Schedule
from streamweave.facility import Facility
from streamweave.harvest.scan_record import latest_scan
from streamweave.instruments.schedules import longest_pause


def freshness_of(facility: Facility, instrument: Instrument) -> tuple[bool, str]:
    """Whether the last look is good and recent enough, and a sentence about it."""
    if not instrument.enabled:
        return True, "the instrument is disabled: nobody looks"
    with facility.sessions() as session:
        scan = latest_scan(session, instrument.id)
        crons = session.scalars(
            select(Schedule.cron_expression).where(
                Schedule.instrument_id == instrument.id, Schedule.enabled, Schedule.deleted_at.is_(None)
            )
        ).all()
    return judge(instrument, scan, crons, facility.now())


def judge(instrument: Instrument, scan: Scan | None, crons: Sequence[str], now: datetime) -> tuple[bool, str]:
    """Decide on the last finished look. Pure."""
    if scan is None or scan.finished_at is None:
        return False, "nobody has looked at the share yet"
    seen = f"the last look ended {scan.finished_at:%Y-%m-%d %H:%M:%S} UTC"
    if scan.outcome in (ScanOutcome.FAILED, ScanOutcome.SUSPECT):
        return False, f"{seen} and is {scan.outcome}: {scan.error_message}"
    longest = longest_pause(instrument, crons, now)
    age = now - scan.finished_at
    if age > longest:
        return False, f"{seen}, {age.total_seconds():.0f} s ago; it should be at most {longest.total_seconds():.0f} s"
    return True, seen
