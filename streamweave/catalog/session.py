"""Access to the catalog: one engine per process, short transactions (none is open across a copy), and their locks."""

import select
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, TypeVar

import psycopg
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session, sessionmaker

from streamweave.catalog.tables import Base

Sessions = sessionmaker[Session]


# for the service: each query is planned for its own values, by one process, for data that is in memory
FOR_ANSWERS = {
    "plan_cache_mode": "force_custom_plan",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "random_page_cost": "1.1",
}


# for harvests: rows are found by their ids while a table grows faster than its statistics, and in memory
FOR_HARVESTS = {"random_page_cost": "1.1"}

Row = TypeVar("Row", bound=Base)


def catalog_engine(url: str, *, pool_size: int = 5, settings: Mapping[str, str] = MappingProxyType({})) -> Engine:
    """An engine for the catalog at ``url`` (``postgresql://…``), through psycopg 3, with every session in UTC.

    ``settings`` are PostgreSQL's own, for all of its sessions.
    """
    options = " ".join(f"-c {name}={value}" for name, value in {"timezone": "UTC", **settings}.items())
    address = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        address,
        pool_size=pool_size,
        hide_parameters=True,  # errors are logged, and shown in Dagster's pages
        connect_args={"options": options, "application_name": "streamweave"},
    )
    event.listen(engine, "checkout", _refuse_a_lost_connection)
    return engine


def _refuse_a_lost_connection(connection: psycopg.Connection[Any], *_: object) -> None:
    """An idle connection sends nothing but its end. To detect that takes no round trip, unlike a query."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError("the catalog has closed this connection")


@contextmanager
def open_catalog(url: str) -> Iterator[Engine]:
    """An engine for a short while, for commands: nothing stays connected afterwards."""
    engine = catalog_engine(url, pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()


def catalog_sessions(engine: Engine) -> Sessions:
    """Sessions whose objects stay readable after their transaction; ``with sessions.begin() as session`` commits."""
    return sessionmaker(engine, expire_on_commit=False)


def reading_sessions(engine: Engine) -> Sessions:
    """Sessions that only read: each statement on its own, without the round trips that open and end a transaction.

    Nothing is lost by that: within a transaction of ours, too, each statement sees what is committed when it begins.
    """
    return catalog_sessions(engine.execution_options(isolation_level="AUTOCOMMIT"))


def add(session: Session, row: Row) -> Row:
    """Add the row to the transaction, and write it."""
    session.add(row)
    session.flush()
    return row


def change(session: Session, row: Row, fields: Mapping[str, Any]) -> Row:
    """Set the fields, and read the row anew: the database itself stamps ``updated_at``."""
    for field, value in fields.items():
        setattr(row, field, value)
    session.flush()
    session.refresh(row)
    return row


def lock_instrument(session: Session, instrument_id: uuid.UUID) -> None:
    """Let one transaction at a time change the states of an instrument's files; held until this one ends.

    Discovery, filtering, claiming and cataloguing each take it for a moment, so that none decides on what another is
    just changing.
    """
    key = int.from_bytes(instrument_id.bytes[:8], "big", signed=True)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def lock_journals(session: Session, storage_location_id: uuid.UUID) -> None:
    """Let one transaction at a time take from the journals of a location what the catalog does not know.

    To be taken before any instrument's lock.
    """
    key = int.from_bytes(storage_location_id.bytes[8:], "big", signed=True)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def lock_certificates(session: Session, state_sha256: str) -> None:
    """Let one transaction at a time put a certificate on record that says the same; held until this one ends."""
    key = int.from_bytes(bytes.fromhex(state_sha256)[:8], "big", signed=True)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def try_lock_alerts(session: Session) -> bool:
    """Let one transaction at a time begin and end alerts; False while another does, which then needs no second."""
    key = int.from_bytes(b"alerts", "big")
    return bool(session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}))
