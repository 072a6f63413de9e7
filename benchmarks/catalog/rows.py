"""The rows of a file: its record, its versions, their transfers."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from benchmarks.catalog.people import VIEWERS
from benchmarks.catalog.world import USERS, File, identity
from streamweave.ark import mint

MINUTE = timedelta(minutes=1)
COPIED = ("archived", "unchanged")  # states of versions that have a hash

Row = tuple[Any, ...]

RECORD = (
    "id, instrument_id, source_path, folder, filename, persistent_id, persistent_id_type, size_bytes, "
    "source_mtime, first_discovered_at, metadata_, owner_id"
)
VERSION = (
    "id, file_id, instrument_id, number, is_newest, size_bytes, source_mtime, acquisition_day, xxhash, sha256, "
    "state, reason, state_since, discovered_at, unchanged_since, observed_at, failures, archived_at, redirected, "
    "first_discovered_at, found_by_rereading"
)
TRANSFER = (
    "id, file_id, version_id, instrument_id, storage_location_id, destination_path, transfer_adapter, status, "
    "attempt, bytes_transferred, source_checksum, dest_checksum, checksum_verified, created_at, started_at, "
    "completed_at"
)


def record(file: File) -> Row:
    """Of the file itself."""
    return (
        file.id,
        identity("instrument", file.run.instrument),
        file.source_path,
        file.run.folder,
        file.filename,
        mint("99999", "fk4", randomness=Random(file.number)),
        "ark",
        file.size_bytes,
        file.source_mtime,
        file.discovered_at,
        Jsonb(file.run.metadata),
        None if file.run.owner is None else identity("user", VIEWERS + file.run.owner % (USERS - VIEWERS)),
    )


def versions(file: File) -> Iterator[Row]:
    """Of its versions, the newest last."""
    for number in range(1, file.versions + 1):
        newest = number == file.versions
        state, at = file.state if newest else "archived", file.discovered_at + number * MINUTE
        yield (
            _version_id(file, number),
            file.id,
            identity("instrument", file.run.instrument),
            number,
            newest,
            file.size_bytes,
            file.source_mtime,
            file.source_mtime.date(),
            *_digests(file, number),
            state,
            "",
            at,
            at,
            at,
            at,
            0,
            at if state == "archived" else None,
            False,
            file.discovered_at,
            False,
        )


def transfers(file: File) -> Iterator[Row]:
    """Of its versions' transfers, as far as there are any."""
    for number in range(1, file.versions + 1):
        newest = number == file.versions
        state, at = file.state if newest else "archived", file.discovered_at + number * MINUTE
        status = {"archived": "completed", "pending": "pending", "failed": "failed"}.get(state)
        if status is None:
            continue
        done = status == "completed"
        xxhash, _ = _digests(file, number)
        yield (
            identity(f"transfer {number}", file.number),
            file.id,
            _version_id(file, number),
            identity("instrument", file.run.instrument),
            identity("location", 0),
            f"Instrument {file.run.instrument}/{file.source_path}" + (f"~v{number}" if number > 1 else ""),
            "smb",
            status,
            1,
            *((file.size_bytes, xxhash, xxhash, True) if done else (None, None, None, False)),
            at,
            at,
            None if status == "pending" else at,
        )


def _version_id(file: File, number: int) -> UUID:
    return identity(f"version {number}", file.number)


def _digests(file: File, number: int) -> tuple[str | None, str | None]:
    """An XXH64 and a SHA-256 like real ones; none while nothing was read."""
    if number == file.versions and file.state not in COPIED:
        return None, None
    digest = _version_id(file, number).hex + file.id.hex
    return digest[:16], digest
