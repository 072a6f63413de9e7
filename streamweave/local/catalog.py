"""The catalog behind `streamweave up`: reached, proven to be ours, brought up to date, with an admin in it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamweave.access.users import ensure_admin
from streamweave.catalog.schema import upgrade_schema
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.instruments.addresses import AddressChange
from streamweave.local.databases import DAGSTER, ensure_database, holds_secrets, sibling
from streamweave.local.home import Home
from streamweave.local.keys import Keys, open_keys
from streamweave.manifest import REACHED_AT, apply_manifest
from streamweave.settings import Settings

ADMIN_EMAIL = "admin@streamweave.local"


@dataclass(frozen=True)
class PreparedCatalog:
    """A catalog of this version's schema, and the keys that fit it."""

    url: str
    keys: Keys


@dataclass(frozen=True)
class Admin:
    """``made_up_password`` is None unless this start made the admin, and no password was given."""

    email: str
    made_up_password: str | None


def prepare_catalog(url: str, home: Home, settings: Settings, say: Callable[[str], None]) -> PreparedCatalog:
    """Make databases, keys and schema what this version needs them to be.

    Raises ``StartError``: no database, the wrong key, a newer schema.
    """
    ensure_database(url)
    ensure_database(sibling(url, DAGSTER))
    with open_catalog(url) as engine:
        keys = open_keys(
            home.keys,
            encryption_keys=settings.encryption_keys.get_secret_value(),
            secret_key=settings.secret_key.get_secret_value(),
            certificate_key=settings.certificate_key.get_secret_value(),
            catalog_holds_secrets=holds_secrets(engine),
            say=say,
        )
        upgrade_schema(engine)
    return PreparedCatalog(url, keys)


def prepare_admin(catalog: PreparedCatalog, settings: Settings) -> Admin:
    """Make the first admin unless there is one."""
    email = settings.admin_email or ADMIN_EMAIL
    password = settings.admin_password.get_secret_value() if settings.admin_password else None
    with open_catalog(catalog.url) as engine:
        return Admin(email, ensure_admin(catalog_sessions(engine), email, password))


def configure_from(manifest: Path, catalog: PreparedCatalog, settings: Settings) -> None:
    """Put the simulated laboratory that the manifest describes into the catalog: the same shares, wherever they are."""
    with open_catalog(catalog.url) as engine:
        apply_manifest(
            catalog_sessions(engine),
            catalog.keys.encryption_keys,
            json.loads(manifest.read_text()),
            roots=settings.allowed_storage(),
            address_change=AddressChange.SAME_FILES,
            moving=REACHED_AT,
        )
