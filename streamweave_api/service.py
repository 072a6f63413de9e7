"""What the handlers work with, built once from the settings.

Work that may take long runs in threads apart from the 40 that serve requests. Mails are sent after the response: else
the time it takes would reveal whether a user exists. Whether the catalog responds is checked by a thread and over a
connection of its own.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from streamweave.access.audit import audited
from streamweave.access.login import LoginLimits
from streamweave.access.passwords import AT_ONCE, RETRY_AFTER_SECONDS
from streamweave.access.tokens import SHORTEST_SECRET
from streamweave.alerts.channels import Channels, channels_of
from streamweave.catalog.leases import DatabaseClock
from streamweave.catalog.session import FOR_ANSWERS, Sessions, catalog_engine, catalog_sessions, reading_sessions
from streamweave.errors import StartError, TooBusy
from streamweave.files.resolving import Support
from streamweave.hooks.external_hook import HookReach
from streamweave.mail import Mailer, mailer_of
from streamweave.preservation.certificates.document import signer_of
from streamweave.preservation.certificates.issue import Issuer
from streamweave.sealing import Sealer
from streamweave.settings import Settings
from streamweave.storage.marking import open_marked
from streamweave.storage.opening import storage_opener
from streamweave.storage.roots import StorageRoots
from streamweave_api.dagster import Dagster, LocationReload

CONNECTIONS = 10
P = ParamSpec("P")
T = TypeVar("T")
PLACES, WAITING = AT_ONCE, 24


class CatalogCheck:
    """Asks the catalog at ``url``, one question at a time, whatever other requests wait for."""

    def __init__(self, url: str) -> None:
        self._engine = catalog_engine(url, pool_size=1)
        self._thread = ThreadPoolExecutor(1, "health")

    async def answers_within(self, seconds: float) -> bool:
        """Whether it does. Raises SQLAlchemy's ``OperationalError`` where it can't be reached at all."""
        asked = self._thread.submit(self._ask)
        try:
            await asyncio.wait_for(asyncio.wrap_future(asked), seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._engine.dispose()

    def _ask(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))


@dataclass(frozen=True)
class Service:
    """The settings, and what was made of them: the catalog, the seal of passwords, what hooks reach, mails, Dagster.

    ``now`` is the database's clock, by which everything on record is stamped.
    ``storage_roots`` say where storage locations may lie, ``certificate_issuer`` what may be deleted at the source.
    ``catalog_check`` is for ``/health`` alone.
    """

    settings: Settings
    engine: Engine
    sessions: Sessions
    reading: Sessions
    now: Callable[[], datetime]
    sealer: Sealer
    storage_roots: StorageRoots
    reach: HookReach
    secret_key: str
    login_limits: LoginLimits
    mailer: Mailer
    alert_channels: Channels
    support: Support
    certificate_issuer: Issuer
    dagster: Dagster
    location_reload: LocationReload
    catalog_check: CatalogCheck

    def read(self, question: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The core's answer, in a session of its own."""
        with self.reading() as session:
            return question(session, *args, **kwargs)

    def write(self, command: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the core's command returns, in a transaction of its own, which is committed."""
        with self.sessions.begin() as session:
            return command(session, *args, **kwargs)

    def start(self) -> None:
        self.location_reload.start()

    def stop(self) -> None:
        """End all work and let go of every connection."""
        self.location_reload.stop()
        self.catalog_check.close()
        self.dagster.close()
        self.engine.dispose()


TheService = NamedDependency[Service]


def service_of(settings: Settings) -> Service:
    """The service that the settings describe; nothing is connected yet. Raises ``StartError`` or ``SealBroken``."""
    secret_key = settings.secret_key.get_secret_value()
    if settings.database_url is None:
        raise StartError("no catalog: set STREAMWEAVE_DATABASE_URL to a PostgreSQL address")
    if len(secret_key.encode()) < SHORTEST_SECRET:
        raise StartError(
            f"no safe signature: set STREAMWEAVE_SECRET_KEY to at least {SHORTEST_SECRET} random characters"
        )
    sealer = Sealer(settings.encryption_keys.get_secret_value())
    engine = catalog_engine(settings.database_url, pool_size=CONNECTIONS, settings=FOR_ANSWERS)
    sessions = audited(catalog_sessions(engine))
    now = DatabaseClock(reading_sessions(engine))
    signer = signer_of(settings.certificate_key.get_secret_value())
    dagster = Dagster(settings.dagster_url, settings.dagster_token.get_secret_value())
    return Service(
        settings=settings,
        engine=engine,
        sessions=sessions,
        reading=reading_sessions(engine),
        now=now,
        sealer=sealer,
        storage_roots=settings.allowed_storage(),
        reach=HookReach.told_by(settings, sealer),
        secret_key=secret_key,
        login_limits=_login_limits(settings),
        mailer=mailer_of(settings),
        alert_channels=channels_of(settings),
        support=Support(settings.facility_name, settings.commitment),
        certificate_issuer=Issuer(sessions, partial(open_marked, sessions, storage_opener(sealer)), signer, now),
        dagster=dagster,
        location_reload=LocationReload(dagster.reload_location),
        catalog_check=CatalogCheck(settings.database_url),
    )


def _login_limits(settings: Settings) -> LoginLimits:
    return LoginLimits(
        window_seconds=settings.login_window_seconds,
        lock_seconds=settings.login_lock_seconds,
        attempts=settings.login_attempts,
        attempts_per_account=settings.login_attempts_per_account,
        attempts_per_address=settings.login_attempts_per_address,
    )


class Threads:
    """So many threads for one purpose, which are those of whichever event loop runs. At most ``waiting`` calls wait."""

    def __init__(self, purpose: str, number: int, waiting: float = float("inf")) -> None:
        self._number, self._most = number, number + waiting
        self._calls = 0  # that run or wait, in whatever loop
        self._limiter: RunVar[CapacityLimiter] = RunVar(purpose)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``call`` returns, once a thread was free for it. Not left alone when cancelled. Raises ``TooBusy``."""
        try:
            limiter = self._limiter.get()
        except LookupError:
            limiter = CapacityLimiter(self._number)
            self._limiter.set(limiter)
        if self._calls >= self._most:
            raise TooBusy(RETRY_AFTER_SECONDS)
        self._calls += 1
        try:
            return await to_thread.run_sync(lambda: call(*args, **kwargs), limiter=limiter)
        finally:
            self._calls -= 1


apart_for_passwords = Threads("passwords", PLACES, WAITING).run
"""For whatever takes a password, counts attempts or is open to strangers: a flood of these holds up nothing else.

As many as hash side by side. The last in the queue waits for about two seconds.
"""


# a mail server that is slow to answer must hold up mails alone
_THREADS = Threads("mails", 2)


def mailed(service: Service, mail: Callable[[Sessions, Mailer, str, str], None], email: str) -> BackgroundTask:
    """What sends that mail to the address."""
    return BackgroundTask(_THREADS.run, mail, service.sessions, service.mailer, service.settings.public_url, email)
