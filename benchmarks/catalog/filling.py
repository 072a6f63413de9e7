"""A world, copied into an empty catalog as fast as PostgreSQL takes it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.catalog.people import file_grants, group_members, openings, project_members
from benchmarks.catalog.rows import RECORD, TRANSFER, VERSION, Row, record, transfers, versions
from benchmarks.catalog.world import GROUPS, INSTRUMENTS, PROJECTS, USERS, World, identity, share
from streamweave.access.grants import COLUMNS, Grantee
from streamweave.access.passwords import hash_password

NOW = datetime(2026, 7, 1, tzinfo=UTC)
TO_WHOM = ", ".join(COLUMNS.values())
# their indexes are made once the rows are there
LARGE = ("file_records", "file_versions", "file_transfers", "file_grants")
STRETCH = 20_000  # files, copied at a time by one process
PROCESSES = min(4, os.cpu_count() or 1)
# what the rows refer to is known to be there, and isn't checked for each of them
TRUSTED = "SET session_replication_role = replica"


def fill(url: str, world: World, storage: str, password: str) -> None:
    """Copy ``world`` into the empty catalog at ``url``, and let PostgreSQL take its statistics.

    Every user, ``user0000@facility.test`` and so on, has ``password``. ``storage`` is the folder of the one location.
    The catalog's user has to be a superuser. Several processes take part.
    """
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        _copy_people(cursor, world, storage, hash_password(password))
        indexes = _without_indexes(cursor)
    stretches = [range(at, min(at + STRETCH, world.files)) for at in range(0, world.files, STRETCH)]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as processes:
        granted = processes.submit(_copy_grants, url, world)
        list(processes.map(partial(_copy_files, url, world), stretches))
        granted.result()
        list(processes.map(partial(_run, url), indexes))
    _run(url, "VACUUM (ANALYZE)")


def _copy_files(url: str, world: World, numbers: Sequence[int]) -> None:
    files = [world.file(number) for number in numbers]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(TRUSTED)
        _copy(cursor, "file_records", RECORD, map(record, files))
        _copy(cursor, "file_versions", VERSION, (row for file in files for row in versions(file)))
        _copy(cursor, "file_transfers", TRANSFER, (row for file in files for row in transfers(file)))


def _copy_grants(url: str, world: World) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(TRUSTED)
        _copy(cursor, "file_grants", f"id, file_id, discovered_at, {TO_WHOM}", _file_grants(world))


def _without_indexes(cursor: psycopg.Cursor[Any]) -> list[str]:
    """Leaves the large tables the indexes of their constraints alone. How to make the others, the slowest first."""
    plain = """
        SELECT format('DROP INDEX %%I', indexname), indexdef FROM pg_indexes
        WHERE tablename = ANY(%s) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)
        ORDER BY indexdef LIKE '%%USING gin%%' DESC
    """
    indexes = cursor.execute(plain, [list(LARGE)]).fetchall()
    for drop, _ in indexes:
        cursor.execute(drop)
    return [create for _, create in indexes]


def _run(url: str, command: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("SET max_parallel_maintenance_workers = 0")  # there are enough of us
        connection.execute(command)


def email(number: int) -> str:
    """The address of a user."""
    return f"user{number:04}@facility.test"


def _copy_people(cursor: psycopg.Cursor[Any], world: World, storage: str, password_hash: str) -> None:
    users = range(USERS)
    _copy(cursor, "users", USER, ((identity("user", n), email(n), password_hash, "user", True, True) for n in users))
    for table, number in (("groups", GROUPS), ("projects", PROJECTS)):
        kind = table.removesuffix("s")
        _copy(cursor, table, "id, name", ((identity(kind, n), f"{kind} {n}") for n in range(number)))
    members = enumerate(group_members(world))
    _copy(cursor, "group_members", "id, group_id, user_id", ((identity("member", n), *row) for n, row in members))
    takers = enumerate(project_members(world))
    rows = ((identity("taker", n), at, whom.columns["user_id"], whom.columns["group_id"]) for n, (at, whom) in takers)
    _copy(cursor, "project_members", "id, project_id, user_id, group_id", rows)
    _copy(cursor, "instruments", INSTRUMENT, map(_instrument, range(INSTRUMENTS)))
    location = (identity("location", 0), "archive", "posix", Jsonb({}), storage, True)
    _copy(cursor, "storage_locations", "id, name, type, connection_config, base_path, enabled", [location])
    grants = enumerate(openings(world))
    opened = (
        (identity("opening", n), identity("instrument", opening.instrument), opening.path_prefix, *_to(opening.grantee))
        for n, opening in grants
    )
    _copy(cursor, "instrument_grants", f"id, instrument_id, path_prefix, {TO_WHOM}", opened)


USER = "id, email, password_hash, role, is_active, is_verified"
INSTRUMENT = (
    "id, slug, name, cifs_host, cifs_port, cifs_share, cifs_base_path, transfer_adapter, archive_folder, "
    "timezone, first_acquisition_day, quiet_period_seconds, max_wait_seconds, probe_open_writer, "
    "shrink_threshold, poll_interval_seconds, max_attempts, retry_delay_seconds, enabled, "
    "growing_files, rehash_share, rehash_bytes, rehash_debt_bytes"
)


def _instrument(number: int) -> Row:
    day, name = NOW.date().replace(year=2020), f"Instrument {number}"
    reached = (f"pc{number}", 445, share(number), "/", "smb", name, "UTC")
    settled = (day, 60, 86_400, False, 0.5, 30, 5, 30, True)
    return (identity("instrument", number), share(number), name, *reached, *settled, "wait", 0.01, 1 << 28, 0)


def _file_grants(world: World) -> Iterator[Row]:
    for n, (number, grantee) in enumerate(file_grants(world)):
        yield identity("grant", n), identity("file", number), world.discovered_at(number), *_to(grantee)


def _to(grantee: Grantee) -> Iterator[UUID | None]:
    return (grantee.columns[column] for column in COLUMNS.values())


def _copy(cursor: psycopg.Cursor[Any], table: str, columns: str, rows: Iterable[Row]) -> None:
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
