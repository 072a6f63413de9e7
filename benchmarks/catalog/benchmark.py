"""The whole measurement, from top to bottom."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from benchmarks.catalog.downloads import GIB, Hauled, haul, lay_down, timed_beside_slow_downloads
from benchmarks.catalog.filling import email, fill
from benchmarks.catalog.people import ADMIN
from benchmarks.catalog.plans import Explained, Explainer
from benchmarks.catalog.questions import Viewer, files, questions
from benchmarks.catalog.serving import Served, serving
from benchmarks.catalog.stopwatch import Asked, Client, Times, timed
from benchmarks.catalog.world import World
from streamweave.access.passwords import hash_password, password_matches
from streamweave.settings import Settings
from streamweave_cli.databases import prepare_admin, prepare_catalog
from streamweave_cli.home import Home
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.postgres.cluster import POINTER, folder_elsewhere

ADMIN_EMAIL = "admin@facility.test"
PASSWORD = "a password of the benchmark"
LOGIN = "login"
FIRST_PAGE = files()
Say = Callable[[str], None]


@dataclass
class Measured:
    """What one size of catalog took: times by question, memory in MiB before and after all of them."""

    files: int
    filled_in_seconds: float = 0.0
    resident_before_mib: float = 0.0
    resident_after_mib: float = 0.0
    times: dict[str, Times] = field(default_factory=dict)
    argon2_ms: float = 0.0
    beside_slow_downloads: Times | None = None
    hauled: Hauled | None = None
    explained: dict[str, Explained] = field(default_factory=dict)


@dataclass(frozen=True)
class Wishes:
    """``requests`` for each question. ``huge_bytes`` is the size of the file that is downloaded whole."""

    requests: int = 300
    huge_bytes: int = 10 * GIB
    with_plans: bool = False


def run(sizes: list[int], wishes: Wishes, say: Say = print) -> list[Measured]:
    """Measure catalogs of these sizes, each in a server of its own that is gone afterwards."""
    return [_measure(World(size), wishes, say) for size in sizes]


def _measure(world: World, wishes: Wishes, say: Say) -> Measured:
    with tempfile.TemporaryDirectory(prefix="streamweave-catalog-") as folder:
        home = Home.at(Path(folder) / "home")
        home.create()
        measured = Measured(world.files)
        with _own_postgres(home) as postgres:
            wanted = Settings(home=home.root, admin_email=ADMIN_EMAIL, admin_password=SecretStr(PASSWORD))
            settings = prepare_catalog(postgres.url(f"files_{world.files}"), home, wanted, say)
            prepare_admin(settings)
            begun = time.monotonic()
            fill(str(settings.database_url), world, str(home.storage), PASSWORD)
            measured.filled_in_seconds = time.monotonic() - begun
            say(f"{world.files:,} files are there after {measured.filled_in_seconds:.0f} s")
            with serving(settings, home) as served:
                _ask_everything(measured, served, world, wishes, say)
                _download(measured, served, settings, world, home, wishes)
            if wishes.with_plans:
                _explain(measured, settings, world)
        return measured


@contextmanager
def _own_postgres(home: Home) -> Iterator[EmbeddedPostgres]:
    """The home's server, as ``streamweave up`` has it. Started by root it keeps its data elsewhere: that goes too."""
    with EmbeddedPostgres(home.postgres) as postgres:
        yield postgres
    if (home.postgres / POINTER).exists():
        shutil.rmtree(folder_elsewhere(home.postgres))


def _ask_everything(measured: Measured, served: Served, world: World, wishes: Wishes, say: Say) -> None:
    measured.times[LOGIN] = _logins(served, max(2, wishes.requests // 10))
    measured.argon2_ms = _argon2_ms()
    every = list(questions(world))
    tokens = {viewer: token_of(served, viewer) for viewer in {question.viewer for question in every}}
    measured.resident_before_mib = served.resident_mib
    client = Client(served.port)
    measured.times |= timed(client, [one.asked(client, tokens[one.viewer]) for one in every], wishes.requests)
    client.close()
    measured.resident_after_mib = served.resident_mib
    for name, times in measured.times.items():
        say(f"{name:50} p50 {times.p50:7.1f} ms   p99 {times.p99:7.1f} ms   {times.per_second:5.0f}/s")


def _download(measured: Measured, served: Served, settings: Settings, world: World, home: Home, wishes: Wishes) -> None:
    token = token_of(served, ADMIN)
    path = lay_down(str(settings.database_url), world, home.storage, wishes.huge_bytes)
    measured.hauled = haul(served, token, path)
    client, first_page = Client(served.port), Asked("first page", FIRST_PAGE, token)
    measured.beside_slow_downloads = timed_beside_slow_downloads(served, client, first_page, path, wishes.requests)
    client.close()


def _explain(measured: Measured, settings: Settings, world: World) -> None:
    with Explainer(settings, PASSWORD) as explainer:
        for question in questions(world):
            measured.explained[question.name] = explainer.explain(question, address_of(question.viewer))


def token_of(served: Served, viewer: Viewer) -> str:
    """A token for that viewer, by logging in."""
    client = Client(served.port)
    answer = client.log_in(address_of(viewer), PASSWORD)
    client.close()
    return answer.token


def address_of(viewer: Viewer) -> str:
    """The e-mail address of that viewer."""
    return ADMIN_EMAIL if isinstance(viewer, str) else email(viewer)


def _logins(served: Served, number: int) -> Times:
    seconds = []
    for _ in range(number):
        begun = time.perf_counter()
        token_of(served, ADMIN)
        seconds.append(time.perf_counter() - begun)
    return Times.of(seconds)


def _argon2_ms() -> float:
    """What comparing a password with its hash takes alone: it is meant to be slow."""
    hashed, begun = hash_password(PASSWORD), time.perf_counter()
    password_matches(PASSWORD, hashed)
    return (time.perf_counter() - begun) * 1000
