"""How the catalog is reached: one engine for each process, short transactions, none of them open across a copy."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.orm import Session, sessionmaker

Sessions = sessionmaker[Session]


def catalog_engine(url: str, *, pool_size: int = 5) -> Engine:
    """An engine for the catalog at ``url`` (``postgresql://…``), through psycopg 3, with every session in UTC."""
    address = make_url(url).set(drivername="postgresql+psycopg")
    return create_engine(
        address,
        pool_size=pool_size,
        pool_pre_ping=True,
        connect_args={"options": "-c timezone=UTC", "application_name": "streamweave"},
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
