"""Harvesting: the way of an instrument's files, from a scan of the share to enriched archive entries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import FileVersion, Instrument, ScanOutcome
from streamweave.catalog.tables.files import WATCHED, in_state
from streamweave.facility import Facility
from streamweave.harvest.claims import free_claims_of_dead_runs
from streamweave.harvest.enrich import enrich_files
from streamweave.harvest.plan import filter_files
from streamweave.harvest.progress import HarvestReport, ProgressListener
from streamweave.harvest.scan import discover
from streamweave.harvest.scan_record import ScanResult
from streamweave.harvest.settle import settle
from streamweave.harvest.source_check import RehashReport, rehash
from streamweave.harvest.transfer import Listener, transfer_files
from streamweave.instruments.schedules import destinations
from streamweave.journal.readoption import readopt_everywhere

Say = Callable[[str], None]
MARGIN_SECONDS = 0.05
"""Waited beyond a quiet period, so that the next scan certainly begins after its end."""


def scan(
    facility: Facility,
    instrument: Instrument,
    *,
    budget_seconds: float | None = None,
    dagster_run_id: str | None = None,
) -> ScanResult:
    """Scan the share once, and decide what has settled. Raises a ``SourceError`` when it can't be scanned.

    Claims of crashed runs are freed first: claimed versions are not compared, and may have changed. Then what the
    archives' journals know and the catalog does not is read in, so that no file is recorded anew under another
    identifier.
    """
    free_claims_of_dead_runs(facility, instrument)
    readopt_everywhere(facility)
    sighting = discover(facility, instrument, budget_seconds=budget_seconds, dagster_run_id=dagster_run_id)
    if settle(facility, instrument, sighting.extent):
        with facility.sessions() as session:
            has_destination = bool(destinations(session, instrument.id))
        if not has_destination:  # no harvest is requested, so nothing else would put this reason on record
            filter_files(facility, instrument)
    return sighting


def scan_until_quiet(
    facility: Facility,
    instrument: Instrument,
    *,
    patience_seconds: float | None = None,
    budget_seconds: float | None = None,
    dagster_run_id: str | None = None,
    say: Say = lambda sentence: None,
) -> ScanResult:
    """Scan the share, wait until the quiet period of what is there has passed, and scan again.

    Afterwards every file that was on the share at the beginning has settled, or is on record with the reason why not:
    one that changed while we waited settles later. A wait longer than ``patience_seconds`` is left to a later scan.
    Raises a ``SourceError`` when the share can't be scanned.
    """
    first = scan(facility, instrument, budget_seconds=budget_seconds, dagster_run_id=dagster_run_id)
    say(first.sentence())
    with facility.sessions() as session:
        quiet_at = _quiet_at(session, instrument)
    if quiet_at is None:
        return first
    seconds = max(0.0, (quiet_at - facility.now()).total_seconds())
    if patience_seconds is not None and seconds > patience_seconds:
        return first
    say(f"waiting {seconds:.0f} s until what is new has been quiet for {instrument.quiet_period_seconds} s")
    facility.wait(seconds + MARGIN_SECONDS)
    again = scan(facility, instrument, budget_seconds=budget_seconds, dagster_run_id=dagster_run_id)
    again.new_files += first.new_files
    again.changed_files += first.changed_files
    say(again.sentence())
    return again


def _quiet_at(session: Session, instrument: Instrument) -> datetime | None:
    """When everything that is watched now will have been quiet for long enough; None when nothing is watched."""
    latest = session.execute(
        select(func.max(FileVersion.unchanged_since)).where(
            FileVersion.instrument_id == instrument.id, in_state(*WATCHED)
        )
    ).scalar()
    return latest and latest + timedelta(seconds=instrument.quiet_period_seconds)


@dataclass(frozen=True)
class Listeners:
    """What a harvest reports while it runs: sentences, the outcomes of files, and progress."""

    say: Say = lambda sentence: None
    on_outcomes: Listener = lambda outcomes: None
    on_progress: ProgressListener = lambda progress: None


@dataclass
class Harvest:
    """One harvest, as it passes from step to step; it can be pickled.

    ``slug`` is the instrument's, ``days`` the acquisition days that it is limited to, None for everything pending.
    ``alarm`` says why the scan is suspect. ``transferred`` is what the step ``transfer`` did, which is part of
    ``report``. ``not_enriched`` counts files whose hooks failed and are asked again.
    """

    slug: str
    days: tuple[date, ...] | None = None
    dagster_run_id: str | None = None
    alarm: str | None = None
    report: HarvestReport = field(default_factory=HarvestReport)
    transferred: HarvestReport = field(default_factory=HarvestReport)
    not_enriched: int = 0
    source_check: RehashReport | None = None


Step = Callable[[Facility, Instrument, Harvest, Listeners], None]


def discover_files(facility: Facility, instrument: Instrument, harvest: Harvest, listeners: Listeners) -> None:
    """Scan the share until what is on it has settled. Raises a ``SourceError`` when it can't be scanned."""
    found = scan_until_quiet(facility, instrument, dagster_run_id=harvest.dagster_run_id, say=listeners.say)
    harvest.alarm = found.error_message if found.outcome == ScanOutcome.SUSPECT else None


def plan_transfers(facility: Facility, instrument: Instrument, harvest: Harvest, _: Listeners) -> None:
    """Let the hooks decide, and plan transfers."""
    harvest.report.include(filter_files(facility, instrument, harvest.days))


def transfer_planned(facility: Facility, instrument: Instrument, harvest: Harvest, listeners: Listeners) -> None:
    """Copy, verify, publish and catalogue what is planned. What ends it early is among the report's ``troubles``."""
    with harvest_run(facility.sessions, instrument.id, harvest.dagster_run_id) as run_id:
        harvest.transferred = transfer_files(
            facility,
            instrument,
            run_id,
            harvest.days,
            on_outcomes=listeners.on_outcomes,
            on_progress=listeners.on_progress,
        )
    harvest.report.include(harvest.transferred)


def enrich_archived(facility: Facility, instrument: Instrument, harvest: Harvest, _: Listeners) -> None:
    """Let the hooks add metadata to archived files; the instrument has been harvested."""
    harvest.not_enriched = enrich_files(facility, instrument, harvest.days)
    note_harvested(facility, instrument)


def check_sources(facility: Facility, instrument: Instrument, harvest: Harvest, listeners: Listeners) -> None:
    """Read a share of the archived files again at the source, unless something was wrong with it in this harvest."""
    if harvest.alarm is None and not harvest.report.troubles:
        harvest.source_check = rehash(facility, instrument)
        listeners.say(harvest.source_check.sentence())


STEPS: Mapping[str, Step] = {
    "discover": discover_files,
    "filter": plan_transfers,
    "transfer": transfer_planned,
    "enrich": enrich_archived,
    "rehash": check_sources,
}
"""The steps of a harvest, in order. Each resumes what an interrupted one left, so any of them may be repeated.

A run over named days (an asset's) takes the middle three: its sensor has scanned the share, and sources are checked by
harvests of everything pending.
"""


def harvest(
    facility: Facility,
    instrument: Instrument,
    *,
    dagster_run_id: str | None = None,
    say: Say = lambda sentence: None,
    on_outcomes: Listener = lambda outcomes: None,
    on_progress: ProgressListener = lambda progress: None,
) -> HarvestReport:
    """Harvest an instrument: everything on its share, and everything pending from before.

    Raises a ``SourceError`` when the share can't be scanned. What went wrong later on is in the report's ``troubles``.
    """
    under_way = Harvest(instrument.slug, dagster_run_id=dagster_run_id)
    for step in STEPS.values():
        step(facility, instrument, under_way, Listeners(say, on_outcomes, on_progress))
    return under_way.report


def note_harvested(facility: Facility, instrument: Instrument) -> None:
    with facility.sessions.begin() as session:
        session.execute(
            update(Instrument)
            .where(Instrument.id == instrument.id)
            .values(last_harvested_at=facility.now(), updated_at=Instrument.updated_at)
        )
