"""The two databases on one PostgreSQL server: the catalog's and Dagster's."""

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.engine import Engine, make_url

from streamweave.errors import StartError

CATALOG = "streamweave"
DAGSTER = "dagster"
MAINTENANCE = "postgres"


def sibling(url: str, database: str) -> str:
    """The address of another database on the same server, as ``postgresql://…``."""
    address = make_url(url).set(database=database, drivername="postgresql")
    return address.render_as_string(hide_password=False)


def for_dagster(url: str) -> str:
    """The same address with psycopg2's driver named, as Dagster needs it."""
    return make_url(url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def ensure_database(url: str) -> None:
    """Create the database of the address unless it exists.

    Raises ``StartError``: the server can't be reached or refuses us, or we may not create databases there.
    """
    address = make_url(url)
    database = str(address.database)
    try:
        psycopg.connect(sibling(url, database), connect_timeout=10).close()
    except psycopg.OperationalError as error:
        _create_if_missing(url, database, reason=error)


def holds_secrets(engine: Engine) -> bool:
    """Whether the catalog holds passwords sealed with some key."""
    with engine.connect() as connection:
        if connection.scalar(text("SELECT to_regclass('service_accounts')")) is None:
            return False
        return bool(connection.scalar(text("SELECT EXISTS (SELECT FROM service_accounts)")))


def _create_if_missing(url: str, database: str, reason: psycopg.OperationalError) -> None:
    try:
        with psycopg.connect(sibling(url, MAINTENANCE), connect_timeout=10, autocommit=True) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone():
                raise StartError(f"the database {_shown(url)} can't be used: {_first_line(reason)}")
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    except psycopg.errors.InsufficientPrivilege as error:
        role = make_url(url).username
        raise StartError(
            f"there is no database {database!r} and the role {role!r} may not create it: have it created for that role"
        ) from error
    except psycopg.OperationalError as error:
        raise StartError(f"the database {_shown(url)} can't be reached: {_first_line(reason)}") from error


def _shown(url: str) -> str:
    address = make_url(url)
    return f"{address.host}:{address.port or 5432}/{address.database}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
