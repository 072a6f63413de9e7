"""Harvesting: the whole way of an instrument's files, from a look at the share to enriched archive entries."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import FileVersion, Instrument, ScanOutcome
from streamweave.catalog.tables.files import WATCHED
from streamweave.facility import Facility
from streamweave.garbage import reduced_gc
from streamweave.harvest.claims import free_claims_of_dead_runs
from streamweave.harvest.enrich import enrich_files
from streamweave.harvest.plan import filter_files
from streamweave.harvest.progress import ProgressListener
from streamweave.harvest.report import HarvestReport
from streamweave.harvest.scan import discover
from streamweave.harvest.scan_record import ScanResult
from streamweave.harvest.settle import settle
from streamweave.harvest.source_check import rehash
from streamweave.harvest.transfer import Listener, transfer_files
from streamweave.journal.readoption import readopt_everywhere

Teller = Callable[[str], None]
MARGIN_SECONDS = 0.05
"""Waited beyond a quiet period, so that the next look surely lies behind its end."""


@reduced_gc()
def scan(
    facility: Facility,
    instrument: Instrument,
    *,
    budget_seconds: float | None = None,
    dagster_run_id: str | None = None,
) -> ScanResult:
    """Look at the share once, and judge what has settled. Raises a ``SourceError`` when it can't be looked at.

    Claims of runs that died are freed first: what is claimed is left alone, and might have changed since. Then what the
    archives' journals know and the catalog does not is taken in, lest files be recorded anew under other identifiers.
    """
    free_claims_of_dead_runs(facility, instrument)
    readopt_everywhere(facility)
    sighting = discover(facility, instrument, budget_seconds=budget_seconds, dagster_run_id=dagster_run_id)
    settle(facility, instrument, sighting.extent)
    return sighting


def scan_until_quiet(
    facility: Facility,
    instrument: Instrument,
    *,
    patience_seconds: float | None = None,
    budget_seconds: float | None = None,
    dagster_run_id: str | None = None,
    tell: Teller = lambda sentence: None,
) -> ScanResult:
    """Look at the share and wait out the quiet period of what is there.

    Afterwards every file that stood on the share in the beginning has settled, or is on record with the reason why not:
    one that changed while we waited settles later. With ``patience_seconds``, a longer wait is left to somebody else.
    Raises a ``SourceError`` when the share can't be looked at.
    """
    first = scan(facility, instrument, budget_seconds=budget_seconds, dagster_run_id=dagster_run_id)
    tell(first.sentence())
    with facility.sessions() as session:
        quiet_at = _quiet_at(session, instrument)
    if quiet_at is None:
        return first
    seconds = max(0.0, (quiet_at - facility.now()).total_seconds())
    if patience_seconds is not None and seconds > patience_seconds:
        return first
    tell(f"waiting {seconds:.0f} s until what is new has been quiet for {instrument.quiet_period_seconds} s")
    facility.wait(seconds + MARGIN_SECONDS)
    again = scan(facility, instrument, budget_seconds=budget_seconds, dagster_run_id=dagster_run_id)
    again.new_files += first.new_files
    again.changed_files += first.changed_files
    tell(again.sentence())
    return again


def _quiet_at(session: Session, instrument: Instrument) -> datetime | None:
    """When everything that is watched now will have been quiet for long enough; None when nothing is watched."""
    latest = session.execute(
        select(func.max(FileVersion.unchanged_since)).where(
            FileVersion.instrument_id == instrument.id, FileVersion.state.in_(WATCHED)
        )
    ).scalar()
    return latest and latest + timedelta(seconds=instrument.quiet_period_seconds)


def harvest(
    facility: Facility,
    instrument: Instrument,
    *,
    dagster_run_id: str | None = None,
    tell: Teller = lambda sentence: None,
    on_outcomes: Listener = lambda outcomes: None,
    on_progress: ProgressListener = lambda progress: None,
) -> HarvestReport:
    """Harvest an instrument: everything on its share, and everything pending from before.

    Raises a ``SourceError`` when the share can't be looked at. What went wrong later on is in the report's
    ``troubles``. In the end a share of the archived files is read again at the source.
    """
    sighting = scan_until_quiet(facility, instrument, dagster_run_id=dagster_run_id, tell=tell)
    with harvest_run(facility.sessions, instrument.id, dagster_run_id) as run_id:
        report = filter_files(facility, instrument)
        report.include(transfer_files(facility, instrument, run_id, on_outcomes=on_outcomes, on_progress=on_progress))
    enrich_files(facility, instrument)
    note_harvested(facility, instrument)
    if sighting.outcome == ScanOutcome.COMPLETE and not report.troubles:
        tell(rehash(facility, instrument).sentence())
    return report


def note_harvested(facility: Facility, instrument: Instrument) -> None:
    """Put on record that the instrument was harvested now."""
    with facility.sessions.begin() as session:
        session.execute(
            update(Instrument)
            .where(Instrument.id == instrument.id)
            .values(last_harvested_at=facility.now(), updated_at=Instrument.updated_at)
        )
