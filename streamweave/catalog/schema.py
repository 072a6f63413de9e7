"""The catalog's schema, brought up to date unless a newer StreamWeave made it, and the identity of the catalog."""

import uuid

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from streamweave.catalog.tables import (
    IS_COMPLETED,
    CatalogIdentity,
    JournalPosition,
    StorageLocation,
    Transfer,
)
from streamweave.errors import StartError


def alembic_config() -> Config:
    """Alembic's settings; the migrations travel inside the package."""
    config = Config()
    config.set_main_option("script_location", "streamweave:catalog/migrations")
    return config


def schema_revision(engine: Engine) -> str | None:
    """The database's revision; None for an empty database."""
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


def catalog_id(session: Session) -> uuid.UUID:
    """The id of this catalog. It never changes, also in a dump that is restored."""
    return session.scalars(select(CatalogIdentity.id)).one()


def renew_identity(session: Session) -> uuid.UUID:
    """Give the catalog a new id, and return it. The caller commits.

    Meant for a copy of a catalog that is used beside the original: every storage location refuses it from then on,
    until it is adopted. The journals there are the original's: what is archived is yet to be noted in some of its own.
    """
    identity = session.scalars(select(CatalogIdentity).with_for_update()).one()
    identity.previous_id, identity.id = identity.id, uuid.uuid4()
    identity.created_at = session.scalars(select(func.statement_timestamp())).one()
    copies = select(Transfer.id).where(Transfer.storage_location_id == StorageLocation.id, IS_COMPLETED)
    unnoted = {"journal_is_complete": False, "updated_at": StorageLocation.updated_at}
    session.execute(update(StorageLocation).where(copies.exists()).values(unnoted))
    session.execute(delete(JournalPosition))
    return identity.id
