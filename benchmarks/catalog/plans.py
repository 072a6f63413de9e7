"""The plans by which PostgreSQL answers each question: the service's own statements, explained."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

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
_PAGES = re.compile(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?")


@dataclass(frozen=True, slots=True)
class Explained:
    """The plans of a question's statements, that which recognises the viewer included."""

    plans: list[list[str]]

    @property
    def pages(self) -> int:
        """Pages of 8 KiB of all statements together, wherever they were: the uppermost step of a plan knows of all."""
        found = (next((match for line in plan if (match := _PAGES.search(line))), None) for plan in self.plans)
        return sum(int(number or 0) for match in found if match for number in match.groups())


class Explainer:
    """The service once more, in this process, so that its statements can be overheard."""

    def __init__(self, settings: Settings, password: str) -> None:
        app = create_app(settings)
        self._engine: Engine = app.state.service.engine
        self._client = TestClient(app)
        self._password = password

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *ended: Any) -> None:
        self._client.__exit__(*ended)

    def explain(self, question: Question, email: str) -> Explained:
        """The plans of the statements that the question leads to."""
        login = self._client.post("/auth/jwt/login", data={"username": email, "password": self._password})
        headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
        with _overheard(self._engine) as statements:
            self._client.get(question.path, headers=headers).raise_for_status()
        with self._engine.connect() as connection:
            return Explained(
                [
                    [row[0] for row in connection.exec_driver_sql(EXPLAIN + statement, parameters)]
                    for statement, parameters in statements
                    if statement.startswith(READS)
                ]
            )


def shortened(plan: Sequence[str]) -> list[str]:
    """What matters of a plan: its steps, and how many rows they gave."""
    steps = [line for line in plan if "rows=" in line and "never executed" not in line]
    return [_COSTS.sub("", line).rstrip() for line in steps]


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
