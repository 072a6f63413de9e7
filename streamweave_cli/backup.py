"""`streamweave backup` and `streamweave restore`: a home's databases and keys, in a folder, and back again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import Console

from streamweave.catalog.schema import newest_revision
from streamweave.errors import InvalidInput
from streamweave.facility import facility_of
from streamweave.journal.readoption import readopt_everywhere
from streamweave.settings import Settings
from streamweave_cli.home import Home, open_keys
from streamweave_cli.home_backup import CONTENTS, back_up, check_target, databases_of
from streamweave_cli.home_backup import restore as restore_home
from streamweave_cli.terminal import one_sentence
from streamweave_cli.verify import verify_and_show

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Keeps everything. [default: STREAMWEAVE_HOME, else .streamweave]")
]
BackupArgument = Annotated[str, typer.Argument(metavar="FOLDER", help="A new folder, which becomes the backup.")]
RestoreArgument = Annotated[str, typer.Argument(metavar="FOLDER", help="A backup, as `streamweave backup` made it.")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Replace what the home holds; that is kept beside it.")]
RereadOption = Annotated[bool, typer.Option("--reread", help="Verify by reading every archived copy, not by its size.")]


def backup(folder: BackupArgument, home: HomeOption = None, reread: RereadOption = False) -> None:
    """Back up a home's catalog, Dagster's database and the keys; then compare archive and catalog."""
    console = Console()
    with one_sentence():
        settings = _settings(home)
        place = Home.at(settings.home)
        target = _named_folder(folder)
        check_target(place, target)
        with databases_of(place) as url:
            about = back_up(place, url, target, datetime.now(UTC))
            console.print(f"{folder}: backup of {about.made_at:%Y-%m-%d %H:%M} UTC, read back whole", soft_wrap=True)
            console.print(f"[yellow]{CONTENTS}.[/yellow]", soft_wrap=True)
            console.print("The archive is not in it: copy the storage locations now, hidden folders included.")
            if about.schema != newest_revision():
                _say(console, "not compared with the archive: the catalog has the schema of another StreamWeave")
                return
            _verify(console, place, settings, url, quick=not reread)


def restore(
    folder: RestoreArgument, home: HomeOption = None, replace: ReplaceOption = False, reread: RereadOption = False
) -> None:
    """Put a backup into a home that is not running; take in what was archived since; compare archive and catalog."""
    console = Console()
    with one_sentence():
        settings = _settings(home)
        place = Home.at(settings.home)
        place.create()
        with place.lock():
            restore_home(
                place, _named_folder(folder), datetime.now(UTC), replace=replace, say=lambda what: _say(console, what)
            )
        with databases_of(place) as url:
            _verify(console, place, settings, url, quick=not reread)


def _named_folder(folder: str) -> Path:
    if not folder.strip():
        raise InvalidInput("folder", "name one")
    return Path(folder).expanduser().absolute()


def _settings(home: Path | None) -> Settings:
    return Settings() if home is None else Settings(home=home)


def _verify(console: Console, home: Home, settings: Settings, url: str, *, quick: bool) -> None:
    """Take in what the journals know, then compare; ends with the exit code of `verify`."""
    keys = open_keys(
        home.keys,
        encryption_keys=settings.encryption_keys.get_secret_value(),
        secret_key=settings.secret_key.get_secret_value(),
        certificate_key=settings.certificate_key.get_secret_value(),
        catalog_holds_secrets=True,
        say=lambda what: _say(console, what),
    )
    told: dict[str, Any] = {"database_url": url, "encryption_keys": SecretStr(keys.encryption_keys)}
    facility = facility_of(settings.model_copy(update=told))
    try:
        for readoption in readopt_everywhere(facility):
            _say(console, readoption.sentence())
        verify_and_show(facility, [], quick=quick, as_json=False)
    finally:
        facility.close()


def _say(console: Console, what: str) -> None:
    console.print(what, markup=False, highlight=False, soft_wrap=True)
