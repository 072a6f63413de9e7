"""Many rows at once, by one statement whatever their number. The caller commits.

Inserts use PostgreSQL's COPY in its text format: a line for each row, tabs between the columns.
"""

import hashlib
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain
from operator import attrgetter
from types import NoneType
from typing import Any

from psycopg import sql
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Dialect,
    Select,
    Table,
    Update,
    Uuid,
    any_,
    case,
    column,
    false,
    func,
    inspect,
    literal,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlalchemy.types import TypeEngine, UserDefinedType

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables.base import Base
from streamweave.catalog.tables.files import FileRecord, digest_of

PIECE_LINES = 200
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

_FORMS: Mapping[type, Callable[[Any], str]] = {
    NoneType: lambda _: r"\N",
    bool: lambda value: "t" if value else "f",
    date: date.isoformat,
    datetime: datetime.isoformat,
    float: repr,
    int: str,
    str: lambda value: value.translate(_ESCAPES),
    uuid.UUID: attrgetter("hex"),
}
Row = Mapping[str, Any]
BATCH = 2_000
"""So many rows are worked on in one transaction: short for others who wait, and long enough to cost little for each."""


def copy_text(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The lines of rows that all have the same columns, some at a time.

    A value that is the very one of the row before, as most of them are, is not written anew. Raises ``TypeError`` for a
    value of a type not known here.
    """
    values: list[Any] = []
    texts: list[str] = []
    lines: list[str] = []
    for row in rows:
        if not values:
            values, texts = list(row), [text_of(value) for value in row]
        for place, value in enumerate(row):
            if value is not values[place]:
                values[place], texts[place] = value, text_of(value)
        lines.append("\t".join(texts))
        if len(lines) == PIECE_LINES:
            yield "\n".join(lines) + "\n"
            lines = []
    if lines:
        yield "\n".join(lines) + "\n"


def text_of(value: Any) -> str:
    """One value. Raises ``TypeError``."""
    form = _FORMS.get(type(value))
    if form:
        return form(value)
    if isinstance(value, str):  # a StrEnum
        return value.translate(_ESCAPES)
    raise TypeError(f"no text for COPY of a {type(value).__name__}")


def is_one_of(
    attribute: InstrumentedAttribute[Any] | ColumnElement[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """As ``attribute.in_(values)``, with all values in one parameter."""
    return attribute == any_(_array(values, attribute.type))


def checked(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The same condition, to be asked of rows that are found by something else, such as their ids: not by an index.

    A harvest moves millions of rows from one state to the next within minutes, and PostgreSQL's statistics lag behind.
    Where it takes a state for rare, it would read all rows in it, once for each batch. A CASE is opaque to it: it uses
    no index, and estimates that half of the rows pass.
    """
    return case((condition, true()), else_=false())


def insert_many(session: Session, table: type[Base], rows: Iterable[Row]) -> None:
    """Insert rows that map the same columns, to values as PostgreSQL takes them; other columns get their defaults.

    Rows are taken from the iterable while earlier ones are inserted, so that their producer and PostgreSQL work side by
    side; producing them must not use the session. Raises ``TypeError`` for a value that ``copy_text`` has no
    text for, such as a dict: JSON is given as text.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return
    given = list(first)
    defaults = _constant_defaults(table, given)
    names = sql.SQL(", ").join(map(sql.Identifier, [*given, *defaults]))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.__tablename__), names)
    rest = list(defaults.values())
    values = ([*map(row.__getitem__, given), *rest] for row in chain([first], remaining))
    connection: Any = session.connection().connection.driver_connection
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for lines in copy_text(values):
            copy.write(lines)


def update_many(session: Session, table: type[Base], rows: Sequence[Row]) -> None:
    """Update rows by their ``id``. They all map the same columns; one that is the same for all travels once."""
    if rows:
        session.execute(_update(table, rows))


def update_those(
    session: Session,
    table: type[Base],
    rows: Sequence[Row],
    which: ColumnElement[bool],
    *returned: InstrumentedAttribute[Any],
    by: Collection[str] = ("id",),
) -> Sequence[Any]:
    """As ``update_many``, but only where ``which`` holds and the columns ``by``, one of them the id, are the row's.

    Returns the columns ``returned`` of what was updated.
    """
    if not rows:
        return []
    return session.connection().execute(_update(table, rows, by).where(which).returning(*returned)).all()


def _update(table: type[Base], rows: Sequence[Row], by: Collection[str] = ("id",)) -> Update:
    target = _table(table)
    first = rows[0]
    differing = [name for name in first if name in by or any(row[name] != first[name] for row in rows)]
    given = (
        func.unnest(*(_array([row[name] for row in rows], target.c[name].type) for name in differing))
        .table_valued(*(column(name, target.c[name].type) for name in differing))
        .render_derived("given")
    )
    values = {name: given.c[name] if name in differing else first[name] for name in first if name not in by}
    return update(target).where(*(target.c[name] == given.c[name] for name in by)).values(values)


def id_batches(sessions: Sessions, ids: Select[tuple[uuid.UUID]], size: int = BATCH) -> Iterator[list[uuid.UUID]]:
    """The ids that a query finds at this moment, in batches.

    They come through a cursor on the server, so memory is bounded and nothing is locked: what a batch was found for
    may no longer hold when it is used, and must be checked again under a lock.
    """
    with sessions() as session:
        found = session.connection().execute(ids, execution_options={"yield_per": size})
        for batch in found.scalars().partitions():
            yield list(batch)


def batches(values: Iterable[Any], size: int = BATCH) -> Iterator[list[Any]]:
    """Values in lists of at most ``size``."""
    batch: list[Any] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class _UuidArray(UserDefinedType[Sequence[uuid.UUID | None]]):
    """UUIDs written as PostgreSQL reads an array; psycopg takes several times as long to check for quotes."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_others: object) -> str:
        return "UUID[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:  # noqa: ARG002 - SQLAlchemy's signature
        return _uuid_array


def _uuid_array(values: Iterable[uuid.UUID | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else value.hex for value in values]) + "}"


def _array(values: Collection[Any], type_: TypeEngine[Any]) -> BindParameter[Any]:
    """All values in one parameter."""
    return literal(list(values), _UuidArray() if isinstance(type_, Uuid) else ARRAY(type_))


def _table(table: type[Base]) -> Table:
    mapped = inspect(table).local_table
    assert isinstance(mapped, Table), "every table of the catalog is mapped to a table"
    return mapped


def _constant_defaults(table: type[Base], given: Collection[str]) -> dict[str, Any]:
    """The defaults that SQLAlchemy would fill in, for columns that rows do not map."""
    return {
        each.name: each.default.arg
        for each in _table(table).columns
        if each.name not in given and isinstance(each.default, ScalarElementColumnDefault)
    }


def digest_of_path(path: str) -> bytes:
    """The MD5 of a path: 16 bytes, however long the path is. The catalog's indexes are built over the same."""
    return hashlib.md5(path.encode(), usedforsecurity=False).digest()


def is_in(folders: Iterable[bytes]) -> ColumnElement[bool]:
    """Over ``FileRecord``: it is directly in one of these folders, given by their digests."""
    return is_one_of(digest_of(FileRecord.folder), [uuid.UUID(bytes=folder) for folder in folders])


def is_identified(persistent_ids: Iterable[str]) -> ColumnElement[bool]:
    """Over ``FileRecord``: it has one of these identifiers."""
    digests = [uuid.UUID(bytes=digest_of_path(each)) for each in persistent_ids]
    return is_one_of(digest_of(FileRecord.persistent_id), digests)


def is_at(paths: Iterable[bytes]) -> ColumnElement[bool]:
    """Over ``FileRecord``: it has one of these source paths, given by their digests."""
    return is_one_of(digest_of(FileRecord.source_path), [uuid.UUID(bytes=path) for path in paths])
