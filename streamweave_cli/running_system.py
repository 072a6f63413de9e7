"""How commands reach the system of a home.

While `streamweave up` runs, a file in its home that only its owner can read says how; commands that also work on a home
that is stopped start its database server for as long as they need it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from streamweave.errors import StartError
from streamweave.settings import Settings
from streamweave_cli.databases import CATALOG
from streamweave_cli.home import FolderLock, Home, write_private
from streamweave_cli.postgres import EmbeddedPostgres

DEFAULT_HOME = "STREAMWEAVE_HOME, else .streamweave"
HomeOption = Annotated[
    Path | None, typer.Option("--home", help="The home of a running `streamweave up`.", show_default=DEFAULT_HOME)
]
AnyHomeOption = Annotated[
    Path | None, typer.Option("--home", help="The home, whether its system runs or not.", show_default=DEFAULT_HOME)
]

VARIABLES = (
    "STREAMWEAVE_DATABASE_URL",
    "STREAMWEAVE_ENCRYPTION_KEYS",
    "STREAMWEAVE_SECRET_KEY",
    "STREAMWEAVE_CERTIFICATE_KEY",
    "STREAMWEAVE_DAGSTER_URL",
    "STREAMWEAVE_PUBLIC_URL",
    "STREAMWEAVE_DAGSTER_TOKEN",
    "STREAMWEAVE_STORAGE_ROOTS",
    "STREAMWEAVE_HOOK_SCRIPTS_FOLDER",
    "STREAMWEAVE_DAGSTER_DATABASE_URL",
    "DAGSTER_HOME",
)


def write_env_file(home: Home, environment: Mapping[str, str]) -> None:
    """Record how this running system is reached, as lines that a shell can read too."""
    lines = [f"{name}='{environment[name]}'\n" for name in VARIABLES if name in environment]
    write_private(home.environment, "".join(lines))


def own_settings(home: Path | None) -> Settings:
    """The settings of the environment, with the home that the command names."""
    return Settings() if home is None else Settings(home=home)


def settings_of(home: Path | None) -> Settings:
    """The settings of the environment; where it names no catalog, those of the system that runs in the home.

    Raises ``StartError`` when there is neither.
    """
    settings = own_settings(home)
    if settings.database_url is not None:
        return settings
    variables = read_env_file(Home.at(settings.home))
    if variables is None:
        raise StartError(f"no system runs in {settings.home}: start `streamweave up`, or set STREAMWEAVE_DATABASE_URL")
    os.environ.update(variables)
    return Settings(home=settings.home)


@contextmanager
def catalog_of(home: Path | None) -> Iterator[str]:
    """The address of the catalog that the environment names; else that of the home's, whether its system runs or not.

    Raises ``StartError``.
    """
    settings = own_settings(home)
    if settings.database_url is not None:
        yield str(settings.database_url)
        return
    with databases_of(Home.at(settings.home)) as url:
        yield url


@contextmanager
def databases_of(home: Home) -> Iterator[str]:
    """The address of a home's catalog: of the system that runs there, or of a server that runs until the block ends.

    Raises ``StartError`` when the home has no databases, or its system is just starting.
    """
    if not home.postgres.is_dir() or not any(home.postgres.iterdir()):
        raise StartError(f"the home {home.root} has no databases")
    lock = FolderLock(home.run)
    if lock.acquire():
        with lock, EmbeddedPostgres(home.postgres) as postgres:
            yield postgres.url(CATALOG)
        return
    variables = read_env_file(home)
    if variables is None:
        raise StartError(f"the system in {home.root} is not ready yet: try again in a moment")
    yield variables["STREAMWEAVE_DATABASE_URL"]


def read_env_file(home: Home) -> dict[str, str] | None:
    """What the running system recorded; None while none runs."""
    try:
        lines = home.environment.read_text().splitlines()
    except FileNotFoundError:
        return None
    return {name: value.strip("'") for name, value in (line.split("=", 1) for line in lines)}
