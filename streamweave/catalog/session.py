"""How the catalog is reached: one engine for each process, short transactions, none of them open across a copy."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine, make_url
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
    return create_engine(
        address,
        pool_size=pool_size,
        pool_pre_ping=True,
        connect_args={"options": options, "application_name": "streamweave"},
    )


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
