"""What the entries of a journal mean for files that the catalog knows differently, or not at all.

``KnownFiles`` reads the files that entries are about, and writes them as the entries say. What that is, ``File``
decides purely. Rows are mappings of columns, changed in place. The rules:

- A file is recognised by its id, by one of its identifiers, or by its path. If it was given another identifier in the
  meantime, both stay; the older one leads.
- A content that a version of the file has already is a further copy of that version. Otherwise it belongs to the
  version that it was archived as, if nothing else was seen of that since; or it becomes a version of its own.
- A number that two versions claim goes to the one that was archived first; the other gets the next free one.
- A copy that was proven in another storage location, whose disk was copied with its journals, is only known to be
  expected here: it was never re-read.
- A version that is not archived, and is not in the journal, comes after all that are: it was seen later.
- What can't be decided like this stays where it is in the archive, and is reported as a conflict.
"""

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, inspect, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import digest_of_path, insert_many, is_at, is_identified, is_one_of, update_many
from streamweave.catalog.leases import is_dead
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    HarvestRun,
    IdentifierAlias,
    Instrument,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.base import Base, uuid7
from streamweave.instruments.acquisition import acquisition
from streamweave.journal.entries import Entry, InstrumentFacts
from streamweave.journal.keeping import facts_of
from streamweave.storage.archive_paths import destination_path

Row = dict[str, Any]
OPEN = (TransferStatus.PENDING, TransferStatus.IN_PROGRESS)
UNFINISHED = "the instrument may not have finished it"
REPAIRED_SINCE = "it was found damaged, and repaired, after this catalog's backup was made"


@dataclass
class File:
    """A file with all of its versions and transfers, as they are to be. New rows have ids that are not in use."""

    record: Row
    versions: dict[uuid.UUID, Row] = field(default_factory=dict)
    transfers: dict[uuid.UUID, Row] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    conflicts: list[str] = field(default_factory=list)

    def take(
        self,
        entry: Entry,
        location_id: uuid.UUID,
        instrument: InstrumentFacts,
        live_runs: Collection[uuid.UUID],
        now: datetime,
    ) -> None:
        """Make the file as the entry says. What one of the ``live_runs`` holds a claim on is left alone."""
        self._identify(entry)
        version = self._version_with_the_content(entry) or self._version_that_it_was(entry)
        if version is None:
            version = self._new_version(entry, instrument, now)
        if self._is_being_copied(version, location_id, live_runs):
            return
        self._prove(version, entry, instrument)
        self._mark_unfinished(version, entry)
        self._copy(version, entry, location_id)
        self._conclude(version, entry, now)
        self._find_newest(instrument)

    def _identify(self, entry: Entry) -> None:
        known = self.record["persistent_id"]
        if entry.persistent_id in {known, *self.aliases}:
            return
        if entry.discovered_at < self.record["first_discovered_at"]:
            self.record["persistent_id"] = entry.persistent_id
            self.aliases.add(known)
        else:
            self.aliases.add(entry.persistent_id)
        self._report(f"has two identifiers now, {known} and {entry.persistent_id}; both resolve to it")

    def _version_with_the_content(self, entry: Entry) -> Row | None:
        for version in self.versions.values():
            if version["sha256"] == entry.sha256 and version["state"] != VersionState.UNCHANGED:
                if version["number"] != entry.number:
                    self._report(f"version {entry.number} of the journal is version {version['number']} here")
                return version
        return None

    def _version_that_it_was(self, entry: Entry) -> Row | None:
        """The version that the entry is about, if it has no proof: the same one, unless something else was seen of it
        since; or what was recorded anew of the same file.
        """
        same = self.versions.get(entry.version_id)
        if same and same["sha256"] is None and same["unchanged_since"] <= entry.archived_at:
            return same
        for version in self.versions.values():
            looks_alike = (version["size_bytes"], version["source_mtime"]) == (entry.size_bytes, entry.source_mtime)
            if looks_alike and version["sha256"] is None:
                return version
        return None

    def _new_version(self, entry: Entry, instrument: InstrumentFacts, now: datetime) -> Row:
        version_id = uuid7() if entry.version_id in self.versions else entry.version_id
        version: Row = {
            "id": version_id,
            "file_id": self.record["id"],
            "instrument_id": self.record["instrument_id"],
            "first_discovered_at": self.record["first_discovered_at"],
            "number": 0,
            "is_newest": False,
            "sha256": None,
            "state": VersionState.SETTLED,
            "reason": "",
            "state_since": now,
            "discovered_at": entry.archived_at,
            "archived_at": None,
            "unfinished": None,
            "failures": 0,
            "retry_at": None,
            **_observed(entry, instrument),
        }
        self.versions[version_id] = version
        return version

    def _prove(self, version: Row, entry: Entry, instrument: InstrumentFacts) -> None:
        """Give a version without a proof what the entry says of it."""
        if version["sha256"] is not None:
            return
        version |= {"xxhash": entry.xxhash, "sha256": entry.sha256, **_observed(entry, instrument)}
        self._number(version, entry, instrument)

    def _mark_unfinished(self, version: Row, entry: Entry) -> None:
        """If any line says that the content may be unfinished, it may: it is the same content in all of them."""
        if entry.is_unfinished and version["unfinished"] is None:
            version["unfinished"] = UNFINISHED
            if version["state"] == VersionState.ARCHIVED:
                version["reason"] = version["reason"] or UNFINISHED

    def _number(self, version: Row, entry: Entry, instrument: InstrumentFacts) -> None:
        if version["number"] == entry.number:
            return
        holder = next((each for each in self.versions.values() if each["number"] == entry.number), None)
        if holder is None:
            version["number"] = entry.number
        elif _was_archived_before(holder, entry):
            version["number"] = self._next_number()
            self._report(f"version {entry.number} of the journal is version {version['number']} here")
        else:
            self._put_last(holder, instrument)
            version["number"] = entry.number

    def _next_number(self) -> int:
        return 1 + max(int(each["number"]) for each in self.versions.values())

    def _put_last(self, version: Row, instrument: InstrumentFacts) -> None:
        """Number it after all others, and so the paths of its waiting transfers."""
        version["number"] = self._next_number()
        path = destination_path(instrument.archive_folder, self.record["source_path"], version["number"])
        for transfer in self.transfers.values():
            if transfer["version_id"] == version["id"] and transfer["status"] == TransferStatus.PENDING:
                transfer["destination_path"] = path

    def _is_being_copied(self, version: Row, location_id: uuid.UUID, live_runs: Collection[uuid.UUID]) -> bool:
        return any(
            each["status"] == TransferStatus.IN_PROGRESS and each["run_id"] in live_runs
            for each in self._there(version, location_id)
        )

    def _there(self, version: Row, location_id: uuid.UUID) -> list[Row]:
        """The transfers of a version to a location."""
        place = (version["id"], location_id)
        return [each for each in self.transfers.values() if (each["version_id"], each["storage_location_id"]) == place]

    def _copy(self, version: Row, entry: Entry, location_id: uuid.UUID) -> None:
        """Complete the transfer that waits for this copy, or add one."""
        there = self._there(version, location_id)
        was_proven_here = entry.location_id == location_id
        if any(each["destination_path"] == entry.archived_path and _was_completed(each) for each in there):
            return
        for each in there:
            if each["status"] == TransferStatus.COMPLETED:
                is_of_one_place = was_proven_here or each["last_verified_at"] is None
                if not (entry.repairs and is_of_one_place and each["completed_at"] < entry.archived_at):
                    self._report(f"a further copy of version {version['number']} is at {entry.archived_path}")
                    return
                damaged = {"damage": REPAIRED_SINCE, "damage_found_at": entry.archived_at}
                each |= {"status": TransferStatus.DAMAGED, **damaged}
        waiting = next((each for each in there if each["status"] in OPEN), None)
        if waiting is None:
            waiting = self._new_transfer(version, entry, location_id)
        waiting |= _completed(entry, was_proven_here=was_proven_here)

    def _new_transfer(self, version: Row, entry: Entry, location_id: uuid.UUID) -> Row:
        transfer_id = uuid7() if entry.transfer_id in self.transfers else entry.transfer_id
        transfer: Row = {
            "id": transfer_id,
            "file_id": self.record["id"],
            "version_id": version["id"],
            "instrument_id": self.record["instrument_id"],
            "storage_location_id": location_id,
            "run_id": None,
            "damage": None,
            "damage_found_at": None,
            "created_at": entry.archived_at,
        }
        self.transfers[transfer_id] = transfer
        return transfer

    def _conclude(self, version: Row, entry: Entry, now: datetime) -> None:
        """It is archived, unless other storage locations wait for it: then their copies are due."""
        waits = any(each["version_id"] == version["id"] and each["status"] in OPEN for each in self.transfers.values())
        if version["state"] == VersionState.ARCHIVED or (waits and version["state"] == VersionState.PENDING):
            return
        if waits:
            version |= {"state": VersionState.PENDING, "reason": "", "state_since": now}
            version |= {"failures": 0, "retry_at": None}
            return
        since = version["archived_at"] or entry.archived_at
        version |= {"state": VersionState.ARCHIVED, "reason": version["unfinished"] or "", "state_since": now}
        version |= {"archived_at": since, "failures": 0, "retry_at": None}

    def _find_newest(self, instrument: InstrumentFacts) -> None:
        """The last one; what was the newest and is not archived was seen after everything in the journal."""
        was_newest = next((each for each in self.versions.values() if each["is_newest"]), None)
        if was_newest and was_newest["sha256"] is None and was_newest["number"] + 1 < self._next_number():
            self._put_last(was_newest, instrument)
        newest = max(self.versions.values(), key=lambda each: int(each["number"]))
        for version in self.versions.values():
            version["is_newest"] = version is newest
        self.record |= {name: newest[name] for name in ("size_bytes", "source_mtime")}

    def _report(self, what: str) -> None:
        self.conflicts.append(f"{self.record['source_path']}: {what}")


def new_file(entry: Entry) -> File:
    """A file that the catalog does not know, without versions."""
    folder, _, filename = entry.source_path.rpartition("/")
    return File(
        {
            "id": entry.file_id,
            "instrument_id": entry.instrument_id,
            "source_path": entry.source_path,
            "folder": folder,
            "filename": filename,
            "persistent_id": entry.persistent_id,
            "size_bytes": entry.size_bytes,
            "source_mtime": entry.source_mtime,
            "first_discovered_at": entry.discovered_at,
        }
    )


def _observed(entry: Entry, instrument: InstrumentFacts) -> Row:
    acquired = acquisition(
        entry.source_mtime,
        timezone=instrument.timezone,
        first_day=instrument.first_acquisition_day,
        now=entry.archived_at,
    )
    return {
        "size_bytes": entry.size_bytes,
        "source_mtime": entry.source_mtime,
        "acquisition_day": acquired.day,
        "clock_skew_seconds": acquired.clock_skew_seconds,
        "unchanged_since": entry.archived_at,
        "observed_at": entry.archived_at,
    }


def _completed(entry: Entry, *, was_proven_here: bool) -> Row:
    return {
        "status": TransferStatus.COMPLETED,
        "destination_path": entry.archived_path,
        "bytes_transferred": entry.size_bytes,
        "source_checksum": entry.xxhash,
        "dest_checksum": entry.xxhash if was_proven_here else None,
        "checksum_verified": True,
        "started_at": entry.archived_at,
        "completed_at": entry.archived_at,
        "last_verified_at": entry.archived_at if was_proven_here else None,
    }


def _was_completed(transfer: Row) -> bool:
    return transfer["status"] in (TransferStatus.COMPLETED, TransferStatus.DAMAGED)


def _was_archived_before(version: Row, entry: Entry) -> bool:
    return version["archived_at"] is not None and version["archived_at"] <= entry.archived_at


class Written(NamedTuple):
    """How many rows the catalog lacked, and the conflicts."""

    files: int
    versions: int
    copies: int
    conflicts: list[str]


@dataclass
class KnownFiles:
    """The files that some entries of one instrument are about. The caller holds the instrument's lock, and commits."""

    session: Session
    instrument: Instrument
    location_id: uuid.UUID
    entries: Sequence[Entry]

    def __post_init__(self) -> None:
        self._before: dict[tuple[type[Base], uuid.UUID], Row] = {}
        self._files: dict[uuid.UUID, File] = {}
        self._by_identifier: dict[str, File] = {}
        self._by_path: dict[str, File] = {}
        self._known_aliases: set[str] = set()
        self._read()

    def take_all(self, now: datetime) -> None:
        facts = facts_of(self.instrument)
        live = set(self.session.scalars(select(HarvestRun.id).where(~is_dead())))
        for entry in self.entries:
            self._file(entry).take(entry, self.location_id, facts, live, now)

    def _file(self, entry: Entry) -> File:
        known = (
            self._files.get(entry.file_id)
            or self._by_identifier.get(entry.persistent_id)
            or self._by_path.get(entry.source_path)
        )
        if known is None:
            known = new_file(entry)
            known.record["instrument_id"] = self.instrument.id
            self._know(known)
        return known

    def _know(self, file: File) -> None:
        self._files[file.record["id"]] = file
        self._by_path[file.record["source_path"]] = file
        for identifier in (file.record["persistent_id"], *file.aliases):
            self._by_identifier[identifier] = file

    def _read(self) -> None:
        """The files that these entries may be about, with all that the catalog knows of them."""
        arks = [entry.persistent_id for entry in self.entries]
        aliases = select(IdentifierAlias.file_id).where(is_one_of(IdentifierAlias.persistent_id, arks))
        of_ours = FileRecord.instrument_id == self.instrument.id
        for which in (
            is_one_of(FileRecord.id, [entry.file_id for entry in self.entries]),
            is_identified(arks),
            FileRecord.id.in_(aliases),
            of_ours & is_at(digest_of_path(entry.source_path) for entry in self.entries),
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
        for alias, file_id in self.session.execute(known.where(is_one_of(IdentifierAlias.file_id, ids))):
            self._files[file_id].aliases.add(alias)
            self._known_aliases.add(alias)
        for file in list(self._files.values()):
            self._know(file)

    def _rows(self, table: type[Base], which: ColumnElement[bool]) -> Iterator[Row]:
        names = [each.key for each in inspect(table).column_attrs if each.columns[0].computed is None]
        columns = [getattr(table, name) for name in names]
        for values in self.session.connection().execute(select(*columns).where(which)).all():
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
        copies_added = self._add(Transfer, transfers, transfer_adapter=self.instrument.transfer_adapter)
        self._add_aliases(files)
        conflicts = [conflict for file in files for conflict in file.conflicts]
        return Written(files_added, versions_added, copies_added + self._completed(transfers), conflicts)

    def _changed(self, table: type[Base], rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if self._before.get((table, row["id"]), row) != row]

    def _change(self, table: type[Base], rows: Sequence[Row]) -> None:
        for row in self._changed(table, rows):  # few: most files of a journal are known as they are, or not at all
            before = self._before[table, row["id"]]
            update_many(self.session, table, [{"id": row["id"]} | {k: v for k, v in row.items() if before[k] != v}])

    def _release_newest(self, versions: Sequence[Row]) -> None:
        changed = self._changed(FileVersion, versions)
        was_newest = [row for row in changed if self._before[FileVersion, row["id"]]["is_newest"]]
        update_many(
            self.session,
            FileVersion,
            [{"id": row["id"], "is_newest": False} for row in was_newest if not row["is_newest"]],
        )

    def _add(self, table: type[Base], rows: Sequence[Row], **others: Any) -> int:
        new = [row | others for row in rows if (table, row["id"]) not in self._before]
        insert_many(self.session, table, new)
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
                self.session.add(IdentifierAlias(persistent_id=alias, file_id=file.record["id"], given_at=first))
