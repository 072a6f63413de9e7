"""`streamweave storage`: the places of storage locations and their marks; `streamweave catalog`: its identity."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from streamweave.catalog.deletion import listing
from streamweave.catalog.schema import catalog_id
from streamweave.catalog.session import Sessions, catalog_sessions, open_catalog
from streamweave.catalog.tables import StorageLocation
from streamweave.errors import StorageError
from streamweave.printable import printable
from streamweave.sealing import Sealer
from streamweave.storage.locations import adopt_storage_location, storage_location_by_name
from streamweave.storage.marking import OpenStorage, found_at_place
from streamweave.storage.opening import storage_opener
from streamweave.storage.roots import StorageRoots
from streamweave_cli.databases import REFUSED_EVERYWHERE, audited_catalog, give_new_identity
from streamweave_cli.running_system import AnyHomeOption, HomeOption, catalog_of, settings_of
from streamweave_cli.terminal import UnknownName, folding_table, one_sentence, show_table

REFUSED = 1

storage = typer.Typer(help="Storage locations, and the marks at their places.", no_args_is_help=True)


@storage.command(name="list")
def list_locations(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False, home: HomeOption = None
) -> None:
    """Print each storage location, its place, and whether its mark is right; exit code 1 if one is refused."""
    with one_sentence(), _catalog(home) as (sessions, sealer, _), sessions() as session:
        catalog_now = catalog_id(session)
        locations = session.scalars(listing(StorageLocation).order_by(StorageLocation.name)).all()
        refusals = [_refusal(sessions, storage_opener(sealer), location) for location in locations]
    if as_json:
        rows = list(map(_as_json, locations, refusals))
        typer.echo(json.dumps({"catalog": str(catalog_now), "locations": rows}, indent=2, ensure_ascii=True))
    else:
        typer.echo(f"catalog {catalog_now}")
        table = folding_table("location", "place", "marked", "state")
        for location, why in zip(locations, refusals, strict=True):
            marked = "not yet" if location.marked_at is None else f"{location.marked_at:%Y-%m-%d %H:%M} UTC"
            state = Text("found") if why is None else Text(printable(why), "red")
            table.add_row(Text(printable(location.name)), Text(printable(location.base_path)), marked, state)
        show_table(Console(), table)
    if any(refusals):
        raise typer.Exit(REFUSED)


def _as_json(location: StorageLocation, refusal: str | None) -> dict[str, Any]:
    return {
        "name": location.name,
        "type": location.type,
        "base_path": location.base_path,
        "enabled": location.enabled,
        "marked_at": location.marked_at and location.marked_at.isoformat(),
        "refusal": refusal,
    }


@storage.command()
def adopt(
    name: Annotated[str, typer.Argument(help="The storage location's name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
) -> None:
    """Take a location's place over: write our mark there, whatever mark is there now."""
    with one_sentence(), _catalog(home) as (sessions, sealer, roots):
        with sessions() as session:
            location = storage_location_by_name(session, name)
            if location is None:
                known = session.scalars(listing(StorageLocation).with_only_columns(StorageLocation.name))
                raise UnknownName("Storage location", name, known)
        why = _refusal(sessions, storage_opener(sealer), location)
        typer.echo(printable(f"{location.name}: {location.base_path}"))
        typer.echo(printable(f"found there now: {why or 'its own mark; there is nothing to take over'}"))
        if why is None:
            return
        typer.echo("Whichever catalog or storage location marked this place is refused here from now on.")
        if not yes:
            typer.confirm("Take it over?", abort=True)
        with sessions.begin() as session:
            adopt_storage_location(session, sealer, location.id, roots)
    done = f"{location.name} is marked anew; compare it with the catalog: streamweave verify {location.name!r}"
    typer.echo(printable(done))


@contextmanager
def _catalog(home: HomeOption) -> Iterator[tuple[Sessions, Sealer, StorageRoots]]:
    """Audited sessions, what opens secrets, and where locations may lie."""
    settings = settings_of(home)
    sealer = Sealer(settings.encryption_keys.get_secret_value())
    with audited_catalog(str(settings.database_url), "streamweave storage") as sessions:
        yield sessions, sealer, settings.allowed_storage()


def _refusal(sessions: Sessions, open_storage: OpenStorage, location: StorageLocation) -> str | None:
    """Why the location's place is refused, or can't be asked; None if it is found."""
    try:
        with sessions() as session:
            return found_at_place(session, open_storage(location), location)
    except StorageError as error:
        return str(error)


catalog = typer.Typer(help="The identity of the catalog.", no_args_is_help=True)


@catalog.command()
def identity(home: AnyHomeOption = None) -> None:
    """Print the id of the catalog, which the marks of its storage locations name."""
    with one_sentence(), catalog_of(home) as url, open_catalog(url) as engine, catalog_sessions(engine)() as session:
        typer.echo(str(catalog_id(session)))


@catalog.command()
def new_identity(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: AnyHomeOption = None,
) -> None:
    """Make a copy of a catalog a catalog of its own, as for a test system: every storage location then refuses it."""
    with one_sentence(), catalog_of(home) as url, open_catalog(url) as engine:
        with catalog_sessions(engine)() as session:
            typer.echo(f"this is catalog {catalog_id(session)}")
        typer.echo(REFUSED_EVERYWHERE)
        if not yes:
            typer.confirm("Give it a new identity?", abort=True)
        typer.echo(f"it is catalog {give_new_identity(url)} now")
