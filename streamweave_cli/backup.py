"""`streamweave backup` and `streamweave restore`: a home's databases and keys, in a folder, and back again.

A backup is a folder that only its owner can read: ``catalog.dump`` and ``dagster.dump`` (pg_dump's custom format),
``keys/`` (a copy of the home's), and ``backup.json``. It appears under its name complete or not at all. The archive is
not in it: copy the storage locations after the backup, with what you use for file systems. PostgreSQL's programs are
those of the embedded server: older ones refuse a newer server.

Once the backup is made, or restored, archive and catalog are compared. What that finds, or that it can't be done, is
exit code 1.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from sqlalchemy.engine import make_url

from streamweave.catalog.deletion import listing
from streamweave.catalog.schema import catalog_id, newest_revision, schema_revision, upgrade_schema
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import StorageLocation
from streamweave.errors import Conflict, InvalidInput, StartError, StreamWeaveError
from streamweave.facility import facility_of
from streamweave.journal.readoption import readopt_everywhere
from streamweave.settings import Settings
from streamweave_cli.databases import (
    CATALOG,
    DAGSTER,
    REFUSED_EVERYWHERE,
    ensure_database,
    give_new_identity,
    sibling,
)
from streamweave_cli.home import Home, open_keys, write_private
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.postgres.cluster import last_line, postgres_installation
from streamweave_cli.running_system import AnyHomeOption, databases_of, own_settings
from streamweave_cli.terminal import one_sentence, say
from streamweave_cli.verify import verify_and_show

NOT_COMPARED, DIFFERS = 2, 1

DUMPS = {CATALOG: "catalog.dump", DAGSTER: "dagster.dump"}
KEYS = "keys"
ABOUT = "backup.json"
FORMAT = 1
CONTENTS = (
    "It holds the keys that open all stored passwords, and the catalog with the password hashes of users: keep it as "
    "safe as the system itself, and a copy of the keys apart from it"
)

RereadOption = Annotated[bool, typer.Option("--reread", help="Verify by reading every archived copy, not by its size.")]


def backup(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A new folder, which becomes the backup.")],
    home: AnyHomeOption = None,
    reread: RereadOption = False,
) -> None:
    """Back up a home's catalog, Dagster's database and the keys; then compare archive and catalog."""
    console = Console()
    with one_sentence():
        settings = own_settings(home)
        place, target = Home.at(settings.home), _named_folder(folder)
        check_target(place, target)
        with databases_of(place) as url:
            about = back_up(place, url, target)
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
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A backup, as `streamweave backup` made it.")],
    home: AnyHomeOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what the home holds; that is kept in its folder replaced-….")
    ] = False,
    new_identity: Annotated[
        bool,
        typer.Option("--new-identity", help="Restore a copy that may run beside the original: no location knows it."),
    ] = False,
    reread: RereadOption = False,
) -> None:
    """Put a backup into a home that is not running; take in what was archived since; compare archive and catalog."""
    console = Console()
    with one_sentence():
        settings = own_settings(home)
        place, source = Home.at(settings.home), _named_folder(folder)
        about = About.of(source)
        place.create()
        with place.lock():
            restore_home(place, source, about, replace=replace, say=partial(say, console))
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


def _locations(url: str) -> list[tuple[str, str]]:
    with open_catalog(url) as engine, catalog_sessions(engine)() as session:
        locations = session.scalars(listing(StorageLocation).order_by(StorageLocation.name))
        return [(location.name, location.base_path) for location in locations]


def _compare(console: Console, home: Home, settings: Settings, url: str, *, quick: bool, done: str) -> None:
    """Take in what the journals know, then compare archive and catalog; exit code 1 unless they agree."""
    try:
        opened = open_keys(home.keys, settings, catalog_holds_secrets=True, say=partial(say, console))
        with closing(facility_of(opened.model_copy(update={"database_url": url}))) as facility:
            for readoption in readopt_everywhere(facility):
                say(console, readoption.sentence())
            exit_code = verify_and_show(facility, [], quick=quick, as_json=False)
    except StreamWeaveError as error:
        typer.echo(str(error), err=True)
        exit_code = NOT_COMPARED
    if exit_code == NOT_COMPARED:
        typer.echo(f"{done}, but it could not be compared with the whole archive: see above", err=True)
    if exit_code:
        raise typer.Exit(DIFFERS)


@dataclass(frozen=True, slots=True)
class About:
    """What ``backup.json`` holds. ``made_at`` is UTC."""

    made_at: datetime
    catalog_id: str
    schema: str

    def as_json(self) -> str:
        """The file's content."""
        fields = {
            "streamweave_backup": FORMAT,
            "made_at": self.made_at.isoformat(),
            "catalog_id": self.catalog_id,
            "schema": self.schema,
        }
        return json.dumps(fields, indent=2) + "\n"

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Raises ``InvalidInput`` for a folder that is no backup."""
        try:
            fields = json.loads((folder / ABOUT).read_text())
            if fields["streamweave_backup"] > FORMAT:
                raise InvalidInput("backup", f"{folder} was made by a later StreamWeave")
            return cls(datetime.fromisoformat(fields["made_at"]), fields["catalog_id"], fields["schema"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInput("backup", f"{folder} is no backup: {ABOUT} is missing or can't be read") from error


def back_up(home: Home, database_url: str, folder: Path) -> About:
    """Make ``folder``, which `check_target` allowed, a backup of a home whose databases are at ``database_url``.

    Each dump is read once, from its beginning to its end, before the backup has its name. What a backup that failed
    or was killed has left behind is removed. Raises ``InvalidInput`` or ``StartError``.
    """
    scratch = folder.with_name(f"{folder.name}.incomplete")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
    except OSError as error:
        raise InvalidInput("folder", f"{scratch} can't be made: {error.strerror}") from error
    try:
        about = _write_backup(home, database_url, scratch)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    _flush(folder.parent)
    return about


def check_target(home: Home, folder: Path) -> None:
    """Raises ``InvalidInput`` unless ``folder`` is a new one outside of the home, which is absolute."""
    if folder.resolve().is_relative_to(home.root):
        raise InvalidInput("folder", f"{folder} lies in the home {home.root}: name one outside of it")
    if folder.exists():
        raise InvalidInput("folder", f"{folder} exists already: name a new one")


def _write_backup(home: Home, database_url: str, scratch: Path) -> About:
    begun_at = datetime.now(UTC)
    for database, name in DUMPS.items():
        _dump(sibling(database_url, database), scratch / name)
        _run("pg_restore", ["--file", os.devnull, str(scratch / name)], f"the dump of {database} can't be read")
    _copy_keys(home.keys, scratch / KEYS)
    with open_catalog(database_url) as engine, catalog_sessions(engine)() as session:
        about = About(begun_at, str(catalog_id(session)), str(schema_revision(engine)))
    write_private(scratch / ABOUT, about.as_json())
    for path in (*scratch.rglob("*"), scratch):
        _flush(path)
    return about


def restore_home(home: Home, folder: Path, about: About, *, replace: bool, say: Callable[[str], None]) -> None:
    """Put a backup into a home that is not running, as its databases and keys; the schema is brought up to date.

    What the home held is kept beside it, and only replaced if that is asked for. Raises ``Conflict`` or ``StartError``.
    """
    held = [path for path in (home.postgres, home.keys) if path.is_dir() and any(path.iterdir())]
    if held and not replace:
        raise Conflict(f"the home {home.root} is not empty: --replace puts the backup in the place of what it holds")
    aside = home.root / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    for path in held:
        aside.mkdir(mode=0o700, exist_ok=True)
        path.rename(aside / path.name)
    if held:
        say(f"what the home held is kept in {aside}: remove it when you need it no more")
    home.create()
    if (folder / KEYS).is_dir():
        _copy_keys(folder / KEYS, home.keys)
    with EmbeddedPostgres(home.postgres) as postgres:
        for database, name in DUMPS.items():
            ensure_database(postgres.url(database))
            _restore_into(postgres.url(database), folder / name)
        with open_catalog(postgres.url(CATALOG)) as engine:
            upgrade_schema(engine)
    say(f"restored the backup of {about.made_at:%Y-%m-%d %H:%M} UTC")


def _dump(url: str, path: Path) -> None:
    arguments = ["--format=custom", "--no-owner", "--no-privileges", "--file", str(path)]
    _run("pg_dump", arguments, f"{make_url(url).database} can't be dumped", url)
    path.chmod(0o600)


def _restore_into(url: str, path: Path) -> None:
    database = str(make_url(url).database)
    arguments = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", "--dbname", database]
    _run("pg_restore", [*arguments, str(path)], f"{path} can't be restored", url)


def _run(program: str, arguments: list[str], what_fails: str, url: str | None = None) -> None:
    """Run one of PostgreSQL's programs; the password travels in its environment. Raises ``StartError``."""
    done = subprocess.run(
        [str(postgres_installation() / "bin" / program), *arguments],
        env={**os.environ, **(_reached_at(url) if url else {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        umask=0o077,
        check=False,
    )
    if done.returncode != 0:
        raise StartError(f"{what_fails}: {last_line(done.stderr)}")


def _reached_at(url: str) -> dict[str, str]:
    address = make_url(url)
    return {
        "PGHOST": str(address.host),
        "PGPORT": str(address.port or 5432),
        "PGUSER": str(address.username),
        "PGPASSWORD": str(address.password),
        "PGDATABASE": str(address.database),
    }


def _copy_keys(source: Path, target: Path) -> None:
    target.mkdir(mode=0o700, exist_ok=True)
    for path in source.iterdir() if source.is_dir() else ():
        if path.is_file():
            write_private(target / path.name, path.read_text())


def _flush(path: Path) -> None:
    """Bring a file's content, or a folder's names, to the device."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
