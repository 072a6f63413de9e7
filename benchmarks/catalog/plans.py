"""The plans by which PostgreSQL answers each question: the service's own statements, explained."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from litestar.testing import TestClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmarks.catalog.questions import Question
from streamweave.settings import Settings
from streamweave_api.app import create_app

Statement = tuple[str, Any]
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS) "
READS = ("SELECT", "WITH")
_COSTS = re.compile(r"  \(cost=[^)]*\)|actual time=\S+ |(?<=\d)\.00(?= loops)")


def plans(settings: Settings, question: Question, email: str, password: str) -> list[list[str]]:
    """The plan of each statement that the question leads to, after the one that recognises the viewer."""
    app = create_app(settings)
    engine: Engine = app.state.service.engine
    with TestClient(app) as client:
        login = client.post("/auth/jwt/login", data={"username": email, "password": password})
        client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        with _overheard(engine) as statements:
            client.get(question.path).raise_for_status()
        with engine.connect() as connection:
            return [
                [row[0] for row in connection.exec_driver_sql(EXPLAIN + statement, parameters)]
                for statement, parameters in statements[1:]
                if statement.startswith(READS)
            ]


def shortened(plan: Sequence[str]) -> list[str]:
    """What matters of a plan: its steps, how many rows they gave, and what they took."""
    steps = [line for line in plan if ("rows=" in line and "never executed" not in line) or "Time:" in line]
    buffers = next((line.strip() for line in plan if "Buffers:" in line), "")
    return [_COSTS.sub("", line).rstrip() for line in steps] + [buffers]


@contextmanager
def _overheard(engine: Engine) -> Iterator[Sequence[Statement]]:
    statements: list[Statement] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", listen)
