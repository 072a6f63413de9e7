"""What the children are told: how to reach the databases, the keys, and Dagster."""

import os
import secrets

from streamweave.local.catalog import PreparedCatalog
from streamweave.local.dagster_home import DATABASE_VARIABLE
from streamweave.local.databases import DAGSTER, for_dagster, sibling
from streamweave.local.home import Home
from streamweave.local.ports import LOOPBACK
from streamweave.local.programs import TOKEN_VARIABLE, Ports

ADMIN_PASSWORD_VARIABLE = "STREAMWEAVE_ADMIN_PASSWORD"
TOKEN_BYTES = 32


def plain_environment() -> dict[str, str]:
    """Our own environment without what no child needs; output comes line by line."""
    inherited = {name: value for name, value in os.environ.items() if name != ADMIN_PASSWORD_VARIABLE}
    return {**inherited, "PYTHONUNBUFFERED": "1"}


def system_environment(home: Home, catalog: PreparedCatalog, ports: Ports, dagster_token: str = "") -> dict[str, str]:
    """The environment of the processes that are StreamWeave or Dagster.

    ``dagster_token`` is what they show to the guard of Dagster's webserver; a new one is made up unless it is given.
    """
    return {
        **plain_environment(),
        "STREAMWEAVE_HOME": str(home.root),
        "STREAMWEAVE_DATABASE_URL": catalog.url,
        "STREAMWEAVE_ENCRYPTION_KEYS": catalog.keys.encryption_keys,
        "STREAMWEAVE_SECRET_KEY": catalog.keys.secret_key,
        "STREAMWEAVE_CERTIFICATE_KEY": catalog.keys.certificate_key,
        "STREAMWEAVE_API_URL": f"http://{LOOPBACK}:{ports.api}",
        "STREAMWEAVE_DAGSTER_URL": f"http://{LOOPBACK}:{ports.dagster}",
        "STREAMWEAVE_PUBLIC_URL": os.environ.get("STREAMWEAVE_PUBLIC_URL") or f"http://{LOOPBACK}:{ports.api}",
        TOKEN_VARIABLE: dagster_token or secrets.token_urlsafe(TOKEN_BYTES),
        DATABASE_VARIABLE: for_dagster(sibling(catalog.url, DAGSTER)),
        "DAGSTER_HOME": str(home.dagster),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
