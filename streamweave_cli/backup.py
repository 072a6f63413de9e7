"""`streamweave backup` and `streamweave restore`: a home's databases and keys, in a folder, and back again.

Once the backup is made, or restored, archive and catalog are compared. What that finds, or that it can't be done, is
exit code 1.
"""

from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streamweave.catalog.deletion import listing
from streamweave.catalog.schema import newest_revision
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import StorageLocation
from streamweave.errors import InvalidInput, StreamWeaveError
from streamweave.facility import facility_of
from streamweave.journal.readoption import readopt_everywhere
from streamweave.settings import Settings
from streamweave_cli.databases import REFUSED_EVERYWHERE, give_new_identity
from streamweave_cli.home import Home, open_keys
from streamweave_cli.home_backup import CONTENTS, About, back_up, check_target
from streamweave_cli.home_backup import restore as restore_home
from streamweave_cli.running_system import AnyHomeOption, databases_of
from streamweave_cli.terminal import one_sentence, say
from streamweave_cli.verify import verify_and_show

NOT_COMPARED, DIFFERS = 2, 1

BackupArgument = Annotated[str, typer.Argument(metavar="FOLDER", help="A new folder, which becomes the backup.")]
RestoreArgument = Annotated[str, typer.Argument(metavar="FOLDER", help="A backup, as `streamweave backup` made it.")]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Replace what the home holds; that is kept in its folder replaced-….")
]
NewIdentityOption = Annotated[
    bool, typer.Option("--new-identity", help="Restore a copy that may run beside the original: no location knows it.")
]
RereadOption = Annotated[bool, typer.Option("--reread", help="Verify by reading every archived copy, not by its size.")]


def backup(folder: BackupArgument, home: AnyHomeOption = None, reread: RereadOption = False) -> None:
    """Back up a home's catalog, Dagster's database and the keys; then compare archive and catalog."""
    console = Console()
    with one_sentence():
        settings = _settings(home)
        place, target = Home.at(settings.home), _named_folder(folder)
        check_target(place, target)
        with databases_of(place) as url:
            about = back_up(place, url, target, datetime.now(UTC))
            say(console, f"{target}: backup of {about.made_at:%Y-%m-%d %H:%M} UTC, read back whole")
            console.print(f"[yellow]{CONTENTS}.[/yellow]", soft_wrap=True)
            if about.schema != newest_revision():
                say(console, "not compared with the archive: the catalog has the schema of another StreamWeave")
                return
            say(console, "The archive is not in it: copy the storage locations now, hidden folders included:")
            for name, base_path in _locations(url):
                say(console, f"  {name}: {base_path}")
            _compare(console, place, settings, url, quick=not reread, done="the backup is made")


def restore(
    folder: RestoreArgument,
    home: AnyHomeOption = None,
    replace: ReplaceOption = False,
    new_identity: NewIdentityOption = False,
    reread: RereadOption = False,
) -> None:
    """Put a backup into a home that is not running; take in what was archived since; compare archive and catalog."""
    console = Console()
    with one_sentence():
        settings = _settings(home)
        place, source = Home.at(settings.home), _named_folder(folder)
        About.of(source)
        place.create()
        with place.lock():
            restore_home(place, source, datetime.now(UTC), replace=replace, say=partial(say, console))
        with databases_of(place) as url:
            if new_identity:
                say(console, f"it is catalog {give_new_identity(url)} now. {REFUSED_EVERYWHERE}")
            else:
                say(console, beside_the_original(f"--home {str(place.root)!r}", "you start it"))
            say(console, f"start it: streamweave up --home {str(place.root)!r}")
            if not new_identity:
                _compare(console, place, settings, url, quick=not reread, done="the backup is restored")


def beside_the_original(home_option: str, before: str) -> str:
    """What to do so that two systems never write into the same storage locations."""
    command = f"streamweave catalog new-identity {home_option}".rstrip()
    return (
        f"If the original system still runs, stop it, or give this one an identity of its own ({command}) "
        f"before {before}: both would write into the same storage locations"
    )


def _named_folder(folder: str) -> Path:
    if not folder.strip():
        raise InvalidInput("folder", "name one")
    return Path(folder).expanduser().absolute()


def _settings(home: Path | None) -> Settings:
    return Settings() if home is None else Settings(home=home)


def _locations(url: str) -> list[tuple[str, str]]:
    with open_catalog(url) as engine, catalog_sessions(engine)() as session:
        locations = session.scalars(listing(StorageLocation).order_by(StorageLocation.name))
        return [(location.name, location.base_path) for location in locations]


def _compare(console: Console, home: Home, settings: Settings, url: str, *, quick: bool, done: str) -> None:
    """Take in what the journals know, then compare archive and catalog; exit code 1 unless they agree."""
    try:
        exit_code = _verify(console, home, settings, url, quick=quick)
    except StreamWeaveError as error:
        typer.echo(str(error), err=True)
        exit_code = NOT_COMPARED
    if exit_code == NOT_COMPARED:
        typer.echo(f"{done}, but it could not be compared with the whole archive: see above", err=True)
    if exit_code:
        raise typer.Exit(DIFFERS)


def _verify(console: Console, home: Home, settings: Settings, url: str, *, quick: bool) -> int:
    opened = open_keys(home.keys, settings, catalog_holds_secrets=True, say=partial(say, console))
    with closing(facility_of(opened.model_copy(update={"database_url": url}))) as facility:
        for readoption in readopt_everywhere(facility):
            say(console, readoption.sentence())
        return verify_and_show(facility, [], quick=quick, as_json=False)
