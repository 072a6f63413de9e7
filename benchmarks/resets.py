"""The file list while 40 password resets are in flight: with forged tokens, and with real ones, which are hashed.

Limits on attempts are lifted for both: what is measured is what remains without them.
"""

import itertools
import multiprocessing
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from json import dumps
from multiprocessing.connection import Connection

from pydantic import SecretStr
from sqlalchemy import select

from benchmarks.catalog.benchmark import ADMIN_EMAIL, FIRST_PAGE, PASSWORD, token_of
from benchmarks.catalog.filling import fill
from benchmarks.catalog.people import ADMIN
from benchmarks.catalog.serving import Served, serving
from benchmarks.catalog.stopwatch import Asked, Client, Times, timed
from benchmarks.catalog.world import World
from benchmarks.report import Report, Table, at_most
from benchmarks.setting import Setting
from streamweave.access.accounts import issue_mailed_token
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import MailPurpose, User
from streamweave.settings import Settings
from streamweave_cli.databases import prepare_admin, prepare_catalog
from streamweave_cli.home import Home
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.readiness import LOOPBACK

IN_FLIGHT = 40
FILES = 10_000
FEWEST_FILES, FEWEST_REQUESTS = 300, 20
MOST_TIMES_QUIET = 3
UNLIMITED = {f"STREAMWEAVE_LOGIN_ATTEMPTS{whose}": "1000000000" for whose in ("", "_PER_ACCOUNT", "_PER_ADDRESS")}
QUIET, FORGED, REAL = "quiet", "forged tokens", "real tokens"


@dataclass(frozen=True, slots=True)
class Measured:
    """The file list's times, and the statuses of the resets meanwhile."""

    times: Times
    statuses: dict[int, int]


def run(setting: Setting) -> Report:
    """Ask for the file list, again and again, with nothing else to do and beside each kind of reset."""
    measured = measure(
        max(FEWEST_FILES, setting.scaled(FILES)), max(FEWEST_REQUESTS, setting.scaled(1_000)), Home.at(setting.work)
    )
    quiet = measured[QUIET].times.p99
    rows = [
        [name, f"{each.times.p50:.1f}", f"{each.times.p99:.1f}", f"{each.times.p99 / quiet:.1f}", _told(each.statuses)]
        for name, each in measured.items()
    ]
    columns = ["", "p50 ms", "p99 ms", "p99 / quiet", "answers to resets"]
    return Report(
        "resets",
        [Table(f"The file list beside {IN_FLIGHT} resets", columns, rows)],
        [
            at_most(f"p99 beside {name}", measured[name].times.p99 / quiet, MOST_TIMES_QUIET, "times the quiet one")
            for name in (FORGED, REAL)
        ],
        numbers={name: asdict(each) for name, each in measured.items()},
    )


def measure(files: int, requests: int, home: Home) -> dict[str, Measured]:
    """So many files in the catalog, so many requests for the first page each time."""
    home.create()
    wanted = Settings(home=home.root, admin_email=ADMIN_EMAIL, admin_password=SecretStr(PASSWORD))
    with EmbeddedPostgres(home.postgres) as postgres:
        settings = prepare_catalog(postgres.url("catalog"), home, wanted, lambda _: None)
        prepare_admin(settings)
        fill(str(settings.database_url), World(files), str(home.storage), PASSWORD)
        with serving(settings, home, UNLIMITED) as served:
            token = token_of(served, ADMIN)
            measured = {QUIET: Measured(_times(served, token, requests), {})}
            for name, tokens in ((FORGED, []), (REAL, _reset_tokens(str(settings.database_url)))):
                with _resets(served, tokens) as statuses:
                    times = _times(served, token, requests)
                measured[name] = Measured(times, dict(statuses))
    return measured


def _times(served: Served, token: str, requests: int) -> Times:
    client = Client(served.port)
    times = timed(client, [Asked("page", FIRST_PAGE, token)], requests)["page"]
    client.close()
    return times


def _reset_tokens(database_url: str) -> list[str]:
    """One for each user, as if each had asked for it."""
    with open_catalog(database_url) as engine, catalog_sessions(engine).begin() as session:
        users = session.scalars(select(User).where(User.email != ADMIN_EMAIL)).all()
        issued = (issue_mailed_token(session, user, MailPurpose.RESET_PASSWORD) for user in users)
        return [token for token in issued if token]


@contextmanager
def _resets(served: Served, tokens: list[str]) -> Iterator[Counter[int]]:
    """Resets that are in flight meanwhile, from a process of their own; afterwards how often which status came."""
    here, there = multiprocessing.Pipe()
    flood = multiprocessing.get_context("spawn").Process(target=send_resets, args=(served.port, tokens, there))
    flood.start()
    here.recv()  # all are in flight
    statuses = Counter[int]()
    try:
        yield statuses
    finally:
        here.send("stop")
        statuses.update(here.recv())
        flood.join()


def send_resets(port: int, tokens: list[str], parent: Connection) -> None:
    """Send them until the parent says stop: each sender the next once it is answered, and not before Retry-After.

    Without ``tokens`` each is forged.
    """
    statuses, stop, unused = Counter[int](), threading.Event(), itertools.chain(tokens, iter(secrets.token_urlsafe, ""))
    begun = threading.Barrier(IN_FLIGHT + 1)

    def send() -> None:
        connection, token = HTTPConnection(LOOPBACK, port, timeout=60), next(unused)
        begun.wait()
        while not stop.is_set():
            body = dumps({"token": token, "password": "a password of the benchmark"})
            connection.request("POST", "/auth/reset-password", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
            if wait := answer.headers["Retry-After"]:
                stop.wait(int(wait))
            else:
                token = next(unused)
        connection.close()

    senders = [threading.Thread(target=send) for _ in range(IN_FLIGHT)]
    for sender in senders:
        sender.start()
    begun.wait()
    parent.send("begun")
    parent.recv()
    stop.set()
    for sender in senders:
        sender.join()
    parent.send(statuses)


def _told(statuses: dict[int, int]) -> str:
    return ", ".join(f"{number:,} times {status}" for status, number in sorted(statuses.items())) or "-"
