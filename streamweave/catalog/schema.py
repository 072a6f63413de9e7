"""The catalog's schema: brought up to date, and never touched when a newer StreamWeave has been here."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

from streamweave.errors import StartError


def alembic_config() -> Config:
    """Alembic's settings; the migrations travel inside the package."""
    config = Config()
    config.set_main_option("script_location", "streamweave:catalog/migrations")
    return config


def schema_revision(engine: Engine) -> str | None:
    """The revision that the database stands at; None for an empty database."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """The revision that this version's schema has."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def upgrade_schema(engine: Engine) -> None:
    """Bring the database to this version's schema, in one transaction.

    Raises ``StartError`` when the database was made by a newer version, whose schema this one doesn't know.
    """
    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = schema_revision(engine)
    if current is not None and current not in known:
        raise StartError(
            f"the catalog has schema {current}, which is newer than this StreamWeave: "
            "start the version that made it, or a later one"
        )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
