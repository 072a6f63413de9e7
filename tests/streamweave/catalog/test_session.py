"""How the catalog is reached: lost connections are made anew, and what only reads opens no transaction."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError

from streamweave.catalog.session import Sessions, catalog_sessions, reading_sessions

BACKEND = text("SELECT pg_backend_pid()")
OPEN_TRANSACTIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
)


@pytest.mark.parametrize("made_by", [catalog_sessions, reading_sessions])
def test_a_connection_that_the_catalog_has_closed_is_made_anew(engine: Engine, made_by: type[Sessions]) -> None:
    sessions = made_by(engine)
    with sessions() as other:
        other.execute(BACKEND)
        with sessions() as session:
            lost = session.scalar(BACKEND)
        # waits until it has ended
        assert other.scalar(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": lost})
    with sessions() as session:
        assert session.scalar(BACKEND) != lost


def test_reading_leaves_no_transaction_open_between_statements(engine: Engine) -> None:
    with reading_sessions(engine)() as session, reading_sessions(engine)() as other:
        session.execute(BACKEND)
        assert other.scalar(OPEN_TRANSACTIONS) == 0


def test_an_error_repeats_no_values(engine: Engine) -> None:
    """It may end up in a log, and among the values are digests of passwords and sealed secrets."""
    with engine.connect() as connection, pytest.raises(DataError) as refused:
        connection.execute(text("SELECT 1 / (length(:digest) - 6)"), {"digest": "geheim"})
    assert "geheim" not in str(refused.value)
