"""What a harvest needs from its surroundings, in one value: entry points build it, tests build another."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from streamweave import ark
from streamweave.catalog.leases import DatabaseClock
from streamweave.catalog.session import FOR_HARVESTS, Sessions, catalog_engine, catalog_sessions, reading_sessions
from streamweave.catalog.tables import Instrument, StorageLocation, StorageType
from streamweave.errors import StartError
from streamweave.hooks.external_hook import HookReach
from streamweave.sealing import Sealer
from streamweave.settings import Settings
from streamweave.sources.base import Source
from streamweave.sources.opening import open_source
from streamweave.storage.base import Storage
from streamweave.storage.marking import open_marked
from streamweave.storage.opening import storage_opener


@dataclass(frozen=True)
class Facility:
    """Access to the catalog, instruments and storage, the identifiers, the clock, and what hooks can use.

    ``open_storage`` compares no mark: what only reads bytes may use it, all else uses ``open_marked``. ``now`` is the
    database's clock: processes on several machines must agree on how long a file has been quiet. ``wait`` takes
    seconds; tests pass a ``now`` and a ``wait`` that belong together. ``storage_notice`` is what an operator should
    know of where a storage location is, if anything. ``close`` closes the catalog's connections.
    """

    sessions: Sessions
    open_source: Callable[[Instrument], Source]
    open_storage: Callable[[StorageLocation], Storage]
    mint_identifier: Callable[[], str]
    now: Callable[[], datetime]
    wait: Callable[[float], None] = time.sleep
    reach: HookReach = field(default_factory=HookReach)
    storage_notice: Callable[[StorageLocation], str | None] = lambda location: None
    close: Callable[[], None] = lambda: None

    def open_marked(self, location: StorageLocation, *, to_write: bool = False) -> Storage:
        """The storage of ``location``, whose mark was compared. Raises ``StorageError``."""
        return open_marked(self.sessions, self.open_storage, location, to_write=to_write)


def facility_of(settings: Settings) -> Facility:
    """The facility that the settings describe.

    Raises ``StartError`` without a catalog, ``SealBroken`` without a key.
    """
    if settings.database_url is None:
        raise StartError("no catalog: set STREAMWEAVE_DATABASE_URL to a PostgreSQL address, or use `streamweave up`")
    sealer = Sealer(settings.encryption_keys.get_secret_value())

    def source_of(instrument: Instrument) -> Source:
        account = instrument.service_account
        return open_source(instrument, sealer.open(account.sealed_password) if account else "")

    roots = settings.allowed_storage()

    def notice_of(location: StorageLocation) -> str | None:
        return roots.notice(location.base_path) if location.type == StorageType.POSIX else None

    engine = catalog_engine(settings.database_url, settings=FOR_HARVESTS)
    return Facility(
        sessions=catalog_sessions(engine),
        open_source=source_of,
        open_storage=storage_opener(sealer, roots),
        mint_identifier=lambda: ark.mint(settings.ark_naan, settings.ark_shoulder),
        now=DatabaseClock(reading_sessions(engine)),
        close=engine.dispose,
        reach=HookReach.told_by(settings, sealer),
        storage_notice=notice_of,
    )
