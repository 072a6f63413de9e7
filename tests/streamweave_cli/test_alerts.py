"""`streamweave alerts`, as cron or monitoring runs it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Alert, AlertWatch
from streamweave_cli.app import app


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("STREAMWEAVE_DATABASE_URL", database_url)
    return lambda: CliRunner().invoke(app, ["alerts"])


def watched(sessions: Sessions, minutes_ago: int = 0) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    with sessions.begin() as session:
        session.merge(AlertWatch(evaluated_at=at, watching_since=at))


def test_nothing_wrong_is_exit_0(run: Any, sessions: Sessions) -> None:
    watched(sessions)
    result = run()
    assert (result.exit_code, result.output) == (0, "no open alerts\n")


def test_open_alerts_are_printed_and_exit_1(run: Any, sessions: Sessions) -> None:
    watched(sessions)
    told = {
        "subject_type": "instruments",
        "subject": "M",
        "began_at": datetime.now(UTC),
        "last_seen_at": datetime.now(UTC),
    }
    with sessions.begin() as session:
        session.add(Alert(kind="failing_share", subject_id=uuid.uuid4(), sentence="it fails", **told))
        over = Alert(
            kind="failing_share", subject_id=uuid.uuid4(), sentence="it failed", ended_at=datetime.now(UTC), **told
        )
        session.add(over)
    result = run()
    assert result.exit_code == 1
    assert result.output.endswith("UTC  failing_share  it fails\n")
    assert "it failed" not in result.output


def test_that_nobody_watches_is_exit_1(run: Any, sessions: Sessions) -> None:
    assert (run().exit_code, run().stderr) == (
        1,
        "the alerts have never been evaluated: is Dagster's daemon running?\n",
    )
    watched(sessions, minutes_ago=11)
    result = run()
    assert result.exit_code == 1
    assert "the alerts were last evaluated" in result.stderr
