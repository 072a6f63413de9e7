"""What one client experiences: a request at a time over one connection, from sending it to having the whole answer."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from math import ceil
from random import Random
from urllib.parse import urlencode

from streamweave_cli.readiness import LOOPBACK

WARM_UP = 5
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str:
        """The one that a login hands out."""
        return str(json.loads(self.body)["access_token"])


@dataclass(frozen=True, slots=True)
class Times:
    """How long the requests took, in milliseconds, and how many there were in a second."""

    p50: float
    p99: float
    per_second: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Times":
        """Their percentiles, by nearest rank."""
        ordered = sorted(seconds)
        middle, late = (ordered[ceil(len(ordered) * share) - 1] for share in (0.5, 0.99))
        return cls(middle * 1000, late * 1000, len(ordered) / sum(ordered))


class Client:
    """One connection, kept open. ``http.client`` costs the least beside what is measured."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection(LOOPBACK, port)

    def get(self, path: str, token: str) -> Answer:
        """The answer to a GET. Raises ``ConnectionError`` for anything else than 200."""
        return self._ask("GET", path, None, {"Authorization": f"Bearer {token}"})

    def log_in(self, email: str, password: str) -> Answer:
        """The answer to a login with the right password."""
        form = urlencode({"username": email, "password": password})
        return self._ask("POST", "/auth/jwt/login", form, FORM)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = Answer(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        )
        if answer.status != 200:
            raise ConnectionError(f"{method} {path}: {answer.status} {answer.body[:200]!r}")
        return answer


@dataclass(frozen=True, slots=True)
class Asked:
    """A GET with a token, asked in each round, or in one of ``every`` rounds."""

    name: str
    path: str
    token: str
    every: int = 1


def timed(client: Client, asked: Sequence[Asked], rounds: int) -> dict[str, Times]:
    """The times of all that is asked, by name, after a few rounds that don't count.

    Each round asks everything once, in an order of its own: so what the machine does meanwhile falls on all alike.
    """
    seconds: dict[str, list[float]] = {question.name: [] for question in asked}
    for number in range(-min(WARM_UP, rounds), rounds):
        for question in Random(number).sample(asked, len(asked)):
            if number % question.every == 0 or number == -1:
                begun = time.perf_counter()
                client.get(question.path, question.token)
                if number >= 0:
                    seconds[question.name].append(time.perf_counter() - begun)
    return {name: Times.of(each) for name, each in seconds.items()}
