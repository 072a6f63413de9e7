"""The files that entries of a journal are about: read from the catalog, and written back as the entries say."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, inspect, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import digest_of_path, insert_many, is_at, is_identified, is_one_of, update_many
from streamweave.catalog.leases import is_dead
from streamweave.catalog.tables import FileRecord, FileVersion, HarvestRun, IdentifierAlias, Instrument, Transfer
from streamweave.catalog.tables.base import Base
from streamweave.journal.entries import Entry
from streamweave.journal.keeping import facts_of
from streamweave.journal.merging import File, Row, new_file


class Written(NamedTuple):
    """How many rows the catalog lacked, and the conflicts."""

    files: int
    versions: int
    copies: int
    conflicts: list[str]


class KnownFiles:
    """The files that some entries of one instrument are about. The caller holds the instrument's lock, and commits."""

    def __init__(
        self, session: Session, instrument: Instrument, location_id: uuid.UUID, entries: Sequence[Entry]
    ) -> None:
        self._session = session
        self._instrument = instrument
        self._location_id = location_id
        self._entries = entries
        self._before: dict[tuple[type[Base], uuid.UUID], Row] = {}
        self._files: dict[uuid.UUID, File] = {}
        self._by_identifier: dict[str, File] = {}
        self._by_path: dict[str, File] = {}
        self._known_aliases: set[str] = set()
        self._read()

    def take_all(self, now: datetime) -> None:
        """Make all files as the entries say."""
        facts = facts_of(self._instrument)
        live = set(self._session.scalars(select(HarvestRun.id).where(~is_dead())))
        for entry in self._entries:
            self._file(entry).take(entry, self._location_id, facts, live, now)

    def _file(self, entry: Entry) -> File:
        known = (
            self._files.get(entry.file_id)
            or self._by_identifier.get(entry.persistent_id)
            or self._by_path.get(entry.source_path)
        )
        if known is None:
            known = new_file(entry)
            known.record["instrument_id"] = self._instrument.id
            self._know(known)
        return known

    def _know(self, file: File) -> None:
        self._files[file.record["id"]] = file
        self._by_path[file.record["source_path"]] = file
        for identifier in (file.record["persistent_id"], *file.aliases):
            self._by_identifier[identifier] = file

    def _read(self) -> None:
        """The files that these entries may be about, with all that the catalog knows of them."""
        arks = [entry.persistent_id for entry in self._entries]
        aliases = select(IdentifierAlias.file_id).where(is_one_of(IdentifierAlias.persistent_id, arks))
        of_ours = FileRecord.instrument_id == self._instrument.id
        for which in (
            is_one_of(FileRecord.id, [entry.file_id for entry in self._entries]),
            is_identified(arks),
            FileRecord.id.in_(aliases),
            of_ours & is_at(digest_of_path(entry.source_path) for entry in self._entries),
        ):
            for row in self._rows(FileRecord, which):
                self._files.setdefault(row["id"], File(row))
        ids = list(self._files)
        for row in self._rows(FileVersion, is_one_of(FileVersion.file_id, ids)) if ids else ():
            self._files[row["file_id"]].versions[row["id"]] = row
        versions = [version_id for file in self._files.values() for version_id in file.versions]
        for row in self._rows(Transfer, is_one_of(Transfer.version_id, versions)) if versions else ():
            self._files[row["file_id"]].transfers[row["id"]] = row
        known = select(IdentifierAlias.persistent_id, IdentifierAlias.file_id)
        for alias, file_id in self._session.execute(known.where(is_one_of(IdentifierAlias.file_id, ids))):
            self._files[file_id].aliases.add(alias)
            self._known_aliases.add(alias)
        for file in list(self._files.values()):
            self._know(file)

    def _rows(self, table: type[Base], which: ColumnElement[bool]) -> Iterator[Row]:
        names = [each.key for each in inspect(table).column_attrs if each.columns[0].computed is None]
        columns = [getattr(table, name) for name in names]
        for values in self._session.connection().execute(select(*columns).where(which)).all():
            row = dict(zip(names, values, strict=True))
            self._before[table, row["id"]] = dict(row)
            yield row

    def write(self) -> Written:
        """Write what differs: rows that release a unique value first, so that no two rows hold the same in between."""
        files = list(self._files.values())
        versions = [row for file in files for row in file.versions.values()]
        transfers = [row for file in files for row in file.transfers.values()]
        records = [file.record for file in files]
        self._change(FileRecord, records)
        self._release_newest(versions)
        self._change(FileVersion, sorted(versions, key=lambda row: -int(row["number"])))
        self._change(Transfer, sorted(transfers, key=lambda row: row["damage"] is None))
        files_added = self._add(FileRecord, records, metadata_="{}")
        versions_added = self._add(FileVersion, versions)
        copies_added = self._add(Transfer, transfers, transfer_adapter=self._instrument.transfer_adapter)
        self._add_aliases(files)
        conflicts = [conflict for file in files for conflict in file.conflicts]
        return Written(files_added, versions_added, copies_added + self._completed(transfers), conflicts)

    def _changed(self, table: type[Base], rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if self._before.get((table, row["id"]), row) != row]

    def _change(self, table: type[Base], rows: Sequence[Row]) -> None:
        for row in self._changed(table, rows):  # few: most files of a journal are known as they are, or not at all
            before = self._before[table, row["id"]]
            update_many(self._session, table, [{"id": row["id"]} | {k: v for k, v in row.items() if before[k] != v}])

    def _release_newest(self, versions: Sequence[Row]) -> None:
        changed = self._changed(FileVersion, versions)
        was_newest = [row for row in changed if self._before[FileVersion, row["id"]]["is_newest"]]
        update_many(
            self._session,
            FileVersion,
            [{"id": row["id"], "is_newest": False} for row in was_newest if not row["is_newest"]],
        )

    def _add(self, table: type[Base], rows: Sequence[Row], **others: Any) -> int:
        new = [row | others for row in rows if (table, row["id"]) not in self._before]
        insert_many(self._session, table, new)
        return len(new)

    def _completed(self, transfers: Sequence[Row]) -> int:
        return sum(
            row["completed_at"] != self._before[Transfer, row["id"]]["completed_at"]
            for row in self._changed(Transfer, transfers)
        )

    def _add_aliases(self, files: Sequence[File]) -> None:
        for file in files:
            for alias in file.aliases - self._known_aliases:
                first = file.record["first_discovered_at"]
                self._session.add(IdentifierAlias(persistent_id=alias, file_id=file.record["id"], given_at=first))
