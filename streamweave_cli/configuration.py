"""Commands that prepare a catalog: `streamweave migrate`, `create-admin` and `configure`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from streamweave.access.users import ensure_admin, reset_admin_password, user_by_email
from streamweave.catalog.schema import schema_revision, upgrade_schema
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.errors import InvalidInput, OrchestratorUnavailable
from streamweave.hooks.external_hook import HookReach
from streamweave.instruments.dagster import orchestrator, reload_code_location
from streamweave.instruments.fields import AddressChange
from streamweave.manifest import apply_manifest
from streamweave.printable import printable
from streamweave.sealing import Sealer
from streamweave.settings import Settings
from streamweave_cli.running_system import HomeOption, settings_of
from streamweave_cli.terminal import one_sentence


def migrate(home: HomeOption = None) -> None:
    """Bring the catalog's schema up to date."""
    with one_sentence(), open_catalog(str(settings_of(home).database_url)) as engine:
        upgrade_schema(engine)
        typer.echo(f"the catalog has schema {schema_revision(engine)}")


def create_admin(
    email: Annotated[
        str, typer.Option(help="The admin's e-mail address.", prompt=True, envvar="STREAMWEAVE_ADMIN_EMAIL")
    ],
    password: Annotated[
        str | None,
        typer.Option(
            help="At least 8 characters; made up and shown when it is left out.", envvar="STREAMWEAVE_ADMIN_PASSWORD"
        ),
    ] = None,
    reset_password: Annotated[
        bool, typer.Option("--reset-password", help="Give an admin who exists another password; ends their logins.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Make an admin, unless there is one with this address; or give that one another password."""
    with one_sentence(), open_catalog(str(settings_of(home).database_url)) as engine:
        sessions = catalog_sessions(engine)
        with sessions() as session:
            exists = user_by_email(session, email) is not None
        made_up = (reset_admin_password if reset_password else ensure_admin)(sessions, email, password)
    if exists and not reset_password:
        typer.echo(f"admin {email} exists; the password is unchanged (--reset-password sets another one)")
    else:
        typer.echo(f"admin {email}" + (f", password {made_up} (shown this once)" if made_up else ", password set"))


def configure(
    manifest: Annotated[Path, typer.Argument(help="A JSON file; `python -m simlab serve --manifest` writes one.")],
    address_change: Annotated[
        AddressChange | None,
        typer.Option(
            help="Where an instrument that has files gets another host, share or base path: the known files are there "
            "now, and their source paths move; or other ones are, and the known files count as gone from the source."
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Enter service accounts, storage locations, instruments, schedules and hooks from a file."""
    with one_sentence():
        settings = settings_of(home)
        keys = settings.encryption_keys.get_secret_value()
        with open_catalog(str(settings.database_url)) as engine:
            reach = HookReach.told_by(settings, Sealer(keys))
            sessions, roots = catalog_sessions(engine), settings.allowed_storage()
            apply_manifest(sessions, keys, _read(manifest), reach, roots, address_change=address_change)
    typer.echo(printable(f"{manifest} is entered; {shown_by_dagster(settings)}"))


def shown_by_dagster(settings: Settings) -> str:
    """Have Dagster reload its code location, which reads instruments and schedules once; says if it did."""
    try:
        with orchestrator(settings.dagster_url, settings.dagster_token.get_secret_value()) as client:
            reload_code_location(client)
    except OrchestratorUnavailable as error:
        return f"Dagster shows it when its code location is loaded next ({error})"
    return "Dagster has loaded it"


def _read(manifest: Path) -> dict[str, object]:
    try:
        content = json.loads(manifest.read_text())
    except OSError as error:
        raise InvalidInput("manifest", f"{manifest} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidInput("manifest", f"{manifest} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InvalidInput("manifest", f"{manifest} must hold one JSON object")
    return content
