"""``python -m streamweave_dagster.preparation``: what Dagster needs before any part of it starts.

Its tables are made here, once: left to itself, Dagster would look for them at every tick of every sensor, over a score
of connections (``should_autocreate_tables`` is off). Then our runs that died with an earlier code server are
ended on record, and what is to be known of the host is said: once, not by each process that loads the location.
"""

import os
from contextlib import closing

import dagster as dg
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from streamweave.facility import facility_of
from streamweave.instruments.dagster import LOCATION_NAME
from streamweave.settings import Settings
from streamweave.storage.roots import start_warnings
from streamweave_dagster.lost_runs import end_orphaned_runs

DATABASE_VARIABLE = "STREAMWEAVE_DAGSTER_DATABASE_URL"


def make_tables(url: str) -> None:
    """Make Dagster's tables in the database at ``url`` (``postgresql+psycopg2://…``) where they are missing."""
    for storage in (PostgresRunStorage, PostgresEventLogStorage, PostgresScheduleStorage):
        storage(url, should_autocreate_tables=True).dispose()


def main() -> None:
    """Work on the database that the environment names, and the instance at ``DAGSTER_HOME``."""
    make_tables(os.environ[DATABASE_VARIABLE])
    with dg.DagsterInstance.get() as instance:
        ended = end_orphaned_runs(instance, LOCATION_NAME)
    print(f"{ended} {'run' if ended == 1 else 'runs'} that an earlier start had left in progress")
    settings = Settings()
    if settings.database_url:
        _warn(settings)


def _warn(settings: Settings) -> None:
    with closing(facility_of(settings)) as facility:
        for sentence in start_warnings(facility.sessions, settings.allowed_storage()):
            print(f"WARNING {sentence}")


if __name__ == "__main__":
    main()
