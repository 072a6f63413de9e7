"""`streamweave catalog`: which catalog this is."""

from typing import Annotated

import typer

from streamweave.access.audit import Actor, acting, audited
from streamweave.catalog.schema import catalog_id, renew_identity
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.cli.configuration import HomeOption
from streamweave.cli.refusal import one_sentence
from streamweave.local.running import settings_of

catalog = typer.Typer(help="The identity of the catalog.", no_args_is_help=True)


@catalog.command()
def identity(home: HomeOption = None) -> None:
    """Print the id of the catalog, which the marks of its storage locations name."""
    with (
        one_sentence(),
        open_catalog(str(settings_of(home).database_url)) as engine,
        catalog_sessions(engine)() as session,
    ):
        typer.echo(str(catalog_id(session)))


@catalog.command()
def new_identity(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
) -> None:
    """Make a copy of a catalog a catalog of its own, as for a test system: every storage location then refuses it."""
    with one_sentence(), open_catalog(str(settings_of(home).database_url)) as engine:
        sessions = audited(catalog_sessions(engine))
        with sessions() as session:
            typer.echo(f"this is catalog {catalog_id(session)}")
        typer.echo("With a new identity it is refused by all its storage locations, until each is moved or adopted.")
        if not yes:
            typer.confirm("Give it a new identity?", abort=True)
        token = acting.set(Actor(email="streamweave catalog (command line)"))
        try:
            with sessions.begin() as session:
                typer.echo(f"it is catalog {renew_identity(session)} now")
        finally:
            acting.reset(token)
