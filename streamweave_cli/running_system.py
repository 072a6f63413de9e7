"""How commands find a system that `streamweave up` is running: by a file in its home that only its owner can read."""

import os
from collections.abc import Mapping
from pathlib import Path

from streamweave.errors import StartError
from streamweave.settings import Settings
from streamweave_cli.home import Home, write_private

TOLD = (
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
    """Write down how this running system is reached, as lines that a shell can read too."""
    lines = [f"{name}='{environment[name]}'\n" for name in TOLD if name in environment]
    write_private(home.environment, "".join(lines))


def settings_of(home: Path | None) -> Settings:
    """The settings of the environment; where it names no catalog, those of the system that runs in the home.

    Raises ``StartError`` when there is neither.
    """
    settings = Settings() if home is None else Settings(home=home)
    if settings.database_url is not None:
        return settings
    word = Home.at(settings.home).environment
    try:
        lines = word.read_text().splitlines()
    except FileNotFoundError:
        raise StartError(
            f"no system runs in {settings.home}: start `streamweave up`, or set STREAMWEAVE_DATABASE_URL"
        ) from None
    told = dict(line.split("=", 1) for line in lines)
    os.environ.update({name: value.strip("'") for name, value in told.items()})
    return Settings(home=settings.home)
