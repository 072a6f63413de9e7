"""What the handlers work with, built once from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from litestar.di import NamedDependency
from sqlalchemy.engine import Engine

from streamweave.access.audit import audited
from streamweave.access.login import LoginLimits
from streamweave.access.tokens import SHORTEST_SECRET
from streamweave.alerts.channels import Channels, channels_of
from streamweave.catalog.leases import DatabaseClock
from streamweave.catalog.session import FOR_ANSWERS, Sessions, catalog_engine, catalog_sessions, reading_sessions
from streamweave.errors import StartError
from streamweave.files.resolving import Support
from streamweave.hooks.hook_context import Reach
from streamweave.mail import Mailer, mailer_of
from streamweave.preservation.certificates.document import signer_of
from streamweave.preservation.certificates.issue import Issuer
from streamweave.sealing import Sealer
from streamweave.settings import Settings
from streamweave.storage.marking import open_marked
from streamweave.storage.opening import storage_opener
from streamweave.storage.roots import StorageRoots
from streamweave_api.catalog_check import CatalogCheck
from streamweave_api.dagster_graphql import Dagster
from streamweave_api.location_reload import LocationReload

CONNECTIONS = 10


@dataclass(frozen=True)
class Service:
    """The catalog, the seal of passwords, what hooks reach, who may come in, mails, identifiers, and Dagster.

    ``now`` is the database's clock, by which everything on record is stamped.
    ``storage_roots`` say where storage locations may lie, ``certificate_issuer`` what may be deleted at the source.
    ``catalog_check`` is for ``/health`` alone.
    """

    engine: Engine
    sessions: Sessions
    reading: Sessions
    now: Callable[[], datetime]
    sealer: Sealer
    storage_roots: StorageRoots
    reach: Reach
    secret_key: str
    token_lifetime_seconds: int
    login_limits: LoginLimits
    registration_open: bool
    cookie_secure: bool
    mailer: Mailer
    alert_channels: Channels
    public_url: str
    hide_private_identifiers: bool
    support: Support
    certificate_issuer: Issuer
    dagster: Dagster
    location_reload: LocationReload
    catalog_check: CatalogCheck

    def start(self) -> None:
        """Begin to work in the background."""
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
        engine=engine,
        sessions=sessions,
        reading=reading_sessions(engine),
        now=now,
        sealer=sealer,
        storage_roots=settings.allowed_storage(),
        reach=Reach.told_by(settings, sealer),
        secret_key=secret_key,
        token_lifetime_seconds=settings.token_lifetime_seconds,
        login_limits=_login_limits(settings),
        registration_open=settings.registration_open,
        cookie_secure=settings.cookie_secure,
        mailer=mailer_of(settings),
        alert_channels=channels_of(settings),
        public_url=settings.public_url,
        hide_private_identifiers=settings.private_identifiers == "hidden",
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
