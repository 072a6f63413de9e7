"""How the catalog is reached: one engine for each process, short transactions, none of them open across a copy."""

import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session, sessionmaker

Sessions = sessionmaker[Session]


# for whoever answers people: each question is planned for its own values, by one process, for data that is in memory
FOR_ANSWERS = {
    "plan_cache_mode": "force_custom_plan",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "random_page_cost": "1.1",
}


# for whoever harvests: rows are found by their ids while a table grows faster than its statistics, and in memory
FOR_HARVESTS = {"random_page_cost": "1.1"}


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
    """An idle connection tells nothing but its end. To hear that costs no round trip, as asking PostgreSQL would."""
    heard = select.poll()
    heard.register(connection.pgconn.socket, select.POLLIN)
    if heard.poll(0):
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
    """Sessions that only read: each statement by itself, without the round trips that open and end a transaction.

    Nothing is lost by that: within a transaction of ours, too, each statement sees what is committed when it begins.
    """
    return catalog_sessions(engine.execution_options(isolation_level="AUTOCOMMIT"))
