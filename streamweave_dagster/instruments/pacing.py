"""When a sensor holds back: while a run goes, for a while after failed runs, and from a server that refuses us."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from streamweave.catalog.tables import Instrument, Scan
from streamweave.errors import CredentialsRefused
from streamweave.harvest.version_state import retry_delay
from streamweave.instruments.dagster import harvest_run_tags

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
ENDED_RUNS_CONSIDERED = 8
REFUSED_PAUSE = timedelta(hours=1)
"""Between two logins with credentials that were refused: a few in a row lock an account in most domains."""


def run_under_way(instance: dg.DagsterInstance, slug: str) -> dg.DagsterRun | None:
    """The run of this instrument that is queued or in progress."""
    runs = instance.get_runs(dg.RunsFilter(tags=harvest_run_tags(slug), statuses=UNDER_WAY), limit=1)
    return next(iter(runs), None)


def paused_until(instance: dg.DagsterInstance, instrument: Instrument) -> datetime | None:
    """Until when nothing is requested because the last runs have failed, longer with each; None if the last did not."""
    ended = dg.RunsFilter(tags=harvest_run_tags(instrument.slug), statuses=ENDED)
    records = instance.get_run_records(ended, limit=ENDED_RUNS_CONSIDERED)
    failures = 0
    for record in records:
        if record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
            break
        failures += 1
    if not failures:
        return None
    ended_at = datetime.fromtimestamp(records[0].end_time or records[0].update_timestamp.timestamp(), UTC)
    return ended_at + retry_delay(instrument, failures - 1)


def refused_until(instrument: Instrument, scan: Scan | None) -> datetime | None:
    """Until when no login is tried after the last one was refused; a change of instrument or account ends the pause."""
    if scan is None or scan.error_kind != CredentialsRefused.kind():
        return None
    account = instrument.service_account
    changed_at = max(instrument.updated_at, account.updated_at) if account else instrument.updated_at
    return None if changed_at > scan.started_at else scan.started_at + REFUSED_PAUSE
