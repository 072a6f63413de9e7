"""The upgrade that binds service accounts: each to the hosts at which it is used already."""

from datetime import UTC, datetime

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import select
from sqlalchemy.engine import Engine

from streamweave.catalog.schema import alembic_config, upgrade_schema
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument, ServiceAccount

BINDING = "0024"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_an_account_is_bound_to_the_hosts_of_the_instruments_that_use_it(engine: Engine, sessions: Sessions) -> None:
    with sessions.begin() as session:
        used, unused = (ServiceAccount(name=name, username="u", sealed_password=b"") for name in ("used", "unused"))
        session.add_all([used, unused])
        session.flush()
        for slug, host, deleted_at in (("a", "PC-B", None), ("b", "pc-a", None), ("c", "pc-b", None), ("d", "x", NOON)):
            named = {"slug": slug, "name": slug, "archive_folder": slug, "cifs_share": "share", "cifs_host": host}
            session.add(Instrument(**named, service_account_id=used.id, deleted_at=deleted_at))
    _undo(engine, BINDING)
    upgrade_schema(engine)
    with sessions() as session:
        bound = {each.name: each.allowed_hosts for each in session.scalars(select(ServiceAccount))}
    assert bound == {"used": ["pc-a", "pc-b", "x"], "unused": []}


def _undo(engine: Engine, revision: str) -> None:
    config = alembic_config()
    script = ScriptDirectory.from_config(config).get_revision(revision)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, str(script.down_revision))
