"""The two databases on one PostgreSQL server, the catalog's and Dagster's: made, and brought up to this version."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.engine import Engine, make_url

from streamweave.access.audit import Actor, acting, audited
from streamweave.access.users import ensure_admin, first_active_admin
from streamweave.catalog.schema import renew_identity, upgrade_schema
from streamweave.catalog.session import Sessions, catalog_sessions, open_catalog
from streamweave.errors import StartError
from streamweave.instruments.fields import AddressChange
from streamweave.manifest import REACHED_AT, apply_manifest
from streamweave.settings import Settings
from streamweave_cli.home import Home, open_keys

CATALOG = "streamweave"
DAGSTER = "dagster"
MAINTENANCE = "postgres"


def sibling(url: str, database: str) -> str:
    """The address of another database on the same server, as ``postgresql://…``."""
    return make_url(url).set(database=database, drivername="postgresql").render_as_string(hide_password=False)


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


ADMIN_EMAIL = "admin@streamweave.local"


def prepare_catalog(url: str, home: Home, settings: Settings, say: Callable[[str], None]) -> Settings:
    """Make databases, keys and schema what this version needs them to be; the settings with this address and the keys.

    Raises ``StartError``: no database, the wrong key, a newer schema.
    """
    ensure_database(url)
    ensure_database(sibling(url, DAGSTER))
    with open_catalog(url) as engine:
        opened = open_keys(home.keys, settings, catalog_holds_secrets=holds_secrets(engine), say=say)
        upgrade_schema(engine)
    return opened.model_copy(update={"database_url": url})


def prepare_admin(settings: Settings) -> tuple[str, str | None]:
    """Make the admin that the settings name; where they name none, a first one unless there is an active admin.

    The admin's e-mail address; and the password, if this made the admin and had to make up a password.
    """
    password = settings.admin_password.get_secret_value() if settings.admin_password else None
    with open_catalog(str(settings.database_url)) as engine:
        sessions = catalog_sessions(engine)
        if not settings.admin_email:
            with sessions() as session:
                if (admin := first_active_admin(session)) is not None:
                    return admin.email, None
        email = settings.admin_email or ADMIN_EMAIL
        return email, ensure_admin(sessions, email, password)


REFUSED_EVERYWHERE = "With a new identity it is refused by all its storage locations, until each is moved or adopted."


def give_new_identity(url: str) -> uuid.UUID:
    """Make a copied catalog one of its own, which does not write where the original does; returns its new id."""
    with audited_catalog(url, "streamweave catalog") as sessions, sessions.begin() as session:
        return renew_identity(session)


@contextmanager
def audited_catalog(url: str, command: str) -> Iterator[Sessions]:
    """Sessions with the catalog whose changes the audit log shows as made by ``command``."""
    token = acting.set(Actor(email=f"{command} (command line)"))
    try:
        with open_catalog(url) as engine:
            yield audited(catalog_sessions(engine))
    finally:
        acting.reset(token)


def configure_from(manifest: Path, settings: Settings) -> None:
    """Put the simulated laboratory that the manifest describes into the catalog: the same shares, wherever they are."""
    with open_catalog(str(settings.database_url)) as engine:
        apply_manifest(
            catalog_sessions(engine),
            settings.encryption_keys.get_secret_value(),
            json.loads(manifest.read_text()),
            roots=settings.allowed_storage(),
            address_change=AddressChange.SAME_FILES,
            moving=REACHED_AT,
        )
