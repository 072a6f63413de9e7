"""Strays: what stands in a storage location without a row of the catalog that knows of it."""

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

from sqlalchemy import Text, column, select, table, text
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH
from streamweave.catalog.tables import ONCE_COMPLETED, Transfer, TransferStatus
from streamweave.facility import Facility
from streamweave.harvest.claims import staged_names_under_way
from streamweave.storage.base import Storage

END = b"\0"  # no path holds it
CHUNK_BYTES = 1 << 20
KNOWN = (*ONCE_COMPLETED, TransferStatus.PENDING, TransferStatus.IN_PROGRESS)
"""Of transfers that wait or are under way the bytes may stand already: their next run takes them over."""

_LISTED = table("listed_paths", column("path", Text))


def stray_paths(facility: Facility, location_id: UUID, storage: Storage) -> Iterator[str]:
    """The published paths that no transfer leads to. Raises ``StorageError``.

    The listing goes to a file first, so that no database session waits for it; then the database compares all of it at
    once, and memory is bounded, whatever the number of files.
    """
    with TemporaryFile() as spool:
        yield from _list(storage, spool)
        spool.seek(0)
        with facility.sessions() as session:
            _copy(session, spool)
            leads_there = (Transfer.storage_location_id == location_id) & (Transfer.destination_path == _LISTED.c.path)
            known = select(Transfer.id).where(leads_there, Transfer.status.in_(KNOWN))
            strays = select(_LISTED.c.path).where(~known.exists()).execution_options(yield_per=BATCH)
            yield from session.execute(strays).scalars()


def leftovers(facility: Facility, location_id: UUID, storage: Storage) -> list[str]:
    """The staged names that belong to no transfer under way; the next harvest into the location removes them.

    But not those from before each catalog staged apart that are unknown here: they may be another catalog's.
    They are listed before the claims are read: whoever stages a file has claimed its transfer before.
    """
    staged = storage.staged_names() + storage.early_staged_names()
    with facility.sessions() as session:
        under_way = staged_names_under_way(session, location_id)
    return sorted(name for name in staged if name not in under_way)


def _list(storage: Storage, spool: IO[bytes]) -> Iterator[str]:
    """Write all paths; those that are no text, which the catalog can't know, are given back at once, escaped."""
    for path in storage.paths():
        try:
            spool.write(path.encode() + END)
        except UnicodeEncodeError:
            yield path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _copy(session: Session, spool: IO[bytes]) -> None:
    session.execute(text("CREATE TEMPORARY TABLE listed_paths (path text NOT NULL) ON COMMIT DROP"))
    connection: Any = session.connection().connection.driver_connection
    with connection.cursor() as cursor, cursor.copy("COPY listed_paths (path) FROM STDIN") as copy:
        for path in _spooled(spool):
            copy.write_row([path])
    # comparing each path with all transfers is quadratic, and looks cheap to a planner that has no statistics yet
    session.execute(text("SET LOCAL enable_nestloop = off"))


def _spooled(spool: IO[bytes]) -> Iterator[str]:
    rest = b""
    while chunk := spool.read(CHUNK_BYTES):
        *paths, rest = (rest + chunk).split(END)
        for path in paths:
            yield path.decode()
