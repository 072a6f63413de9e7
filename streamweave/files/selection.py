"""Which files are asked for: filters, full-text search, and what makes two selections different lists."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from streamweave.access.visibility import AccessScope, access_scope_of, access_scope_of_project, covered
from streamweave.catalog.pages import Values
from streamweave.catalog.tables import FileRecord, FileVersion, User, VersionState
from streamweave.catalog.tables.files import UNDERWAY, UNDERWAY_WORD, WORD_BREAKS
from streamweave.errors import InvalidInput
from streamweave.validation import has_control_character

LONGEST_SEARCH = 500
LARGEST_SIZE = 2**63 - 1
MOST_METADATA_FILTERS = 20
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_WORDS_OF_JSON: dict[str, Any] = {"true": True, "false": False, "null": None}


Filters = tuple[str, ...]

# a project is no property of files, but of grants; and of metadata there can be many
_SPECIAL = ("project_id", "metadata")
# indexes know several states by one word: such a state is asked for by that word, and then itself
_FIELDS = {"underway": "state"}
_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "instrument_id": FileRecord.instrument_id == bindparam("instrument_id"),
    "state": FileVersion.indexed_state == bindparam("state"),
    "underway": FileVersion.state == bindparam("underway"),
    "owner_id": FileRecord.owner_id == bindparam("owner_id"),
    "acquired_from": FileRecord.source_mtime >= bindparam("acquired_from"),
    "acquired_to": FileRecord.source_mtime < bindparam("acquired_to"),
    "min_size": FileRecord.size_bytes >= bindparam("min_size"),
    "max_size": FileRecord.size_bytes <= bindparam("max_size"),
    "extension": FileRecord.extension == bindparam("extension"),
    "search": FileRecord.words.bool_op("@@")(func.plainto_tsquery("simple", bindparam("search"))),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Filters that a file passes all of; those that are None pass every file.

    ``acquired_from`` and ``acquired_to`` bound the source's mtime: from included, to excluded. Sizes are in bytes, both
    bounds included. ``extension`` goes without its dot, in any case. ``metadata`` holds pairs of a key, with dots
    between the keys of nested objects, and a value as text: at most 20. ``search`` holds words that must all occur in
    the path or the metadata.
    """

    instrument_id: uuid.UUID | None = None
    state: VersionState | None = None
    project_id: uuid.UUID | None = None
    owner_id: uuid.UUID | None = None
    acquired_from: datetime | None = None
    acquired_to: datetime | None = None
    min_size: int | None = None
    max_size: int | None = None
    extension: str | None = None
    search: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Raises ``InvalidInput`` for more filters on metadata than a query can be planned for in short a time."""
        if len(self.metadata) > MOST_METADATA_FILTERS:
            raise InvalidInput("metadata", f"must be filtered by at most {MOST_METADATA_FILTERS} keys at once")

    @property
    def scope(self) -> str:
        """What binds a cursor to this selection."""
        return json.dumps(astuple(self), default=str)

    @property
    def filters(self) -> Filters:
        """Which filters there are: what is asked for them is the same whatever their values."""
        given = (field.name for field in fields(self) if field.name not in _SPECIAL)
        named = (name for name in given if getattr(self, name) is not None)
        underway = ("underway",) if self.state in UNDERWAY else ()
        of_metadata = (f"metadata {len(_meanings(value))}" for _, value in self.metadata)
        return (*named, *underway, *of_metadata)

    @property
    def values(self) -> Values:
        """The values of the parameters by which ``records_that_pass`` asks. Raises ``InvalidInput``."""
        given = (name for name in self.filters if name in _CONDITIONS)
        values = {name: _checked(name, getattr(self, _FIELDS.get(name, name))) for name in given}
        for number, (key, value) in enumerate(self.metadata):
            values |= {f"metadata_{number}_{i}": meant for i, meant in enumerate(_metadata(key, value))}
        return values


EVERYTHING = Selection()


@lru_cache(maxsize=1024)
def records_that_pass(filters: Filters, *, withdrawn_too: bool) -> Select[tuple[FileRecord]]:
    """The records that pass filters, of which ``Selection.values`` has the values; with those withdrawn, or without."""
    records = select(FileRecord).where(*passing(filters))
    if "state" in filters:
        records = records.join(FileVersion, and_(FileVersion.file_id == FileRecord.id, FileVersion.is_newest))
    return records if withdrawn_too else records.where(FileRecord.withdrawn_at.is_(None))


def passing(filters: Filters) -> Iterator[ColumnElement[bool]]:
    """The conditions of filters on ``FileRecord``; that of a state is on its newest ``FileVersion``."""
    yield from (_CONDITIONS[name] for name in filters if name in _CONDITIONS)
    of_metadata = (name for name in filters if name not in _CONDITIONS)
    for number, name in enumerate(of_metadata):
        meanings = range(int(name.removeprefix("metadata ")))
        yield or_(
            *(FileRecord.metadata_.contains(bindparam(f"metadata_{number}_{i}", type_=JSONB())) for i in meanings)
        )


def selected(viewer: User, selection: Selection, scope: AccessScope | None) -> Select[tuple[FileRecord]]:
    """The records of ``selection`` that ``viewer`` may see, ``scope`` being those asked for.

    ``selection.values`` are the values of its parameters.
    """
    records = records_that_pass(selection.filters, withdrawn_too=viewer.is_admin)
    return records if scope is None else records.where(covered(scope))


def access_scope_asked(session: Session, viewer: User, selection: Selection) -> AccessScope | None:
    """What of the selection's project, or else of everything, is open to ``viewer``; None for everything."""
    if selection.project_id is not None:
        # whatever is granted to a project is granted to those who belong to it
        scope = access_scope_of_project(session, viewer, selection.project_id)
    elif viewer.is_admin:
        return None
    else:
        scope = access_scope_of(session, viewer)
    return scope if selection.instrument_id is None else scope.on(selection.instrument_id)


def _checked(name: str, value: Any) -> Any:
    """A filter's value as the catalog is asked for it. Raises ``InvalidInput``."""
    match name:
        case "state":
            return UNDERWAY_WORD if value in UNDERWAY else value
        case "acquired_from" | "acquired_to":
            return _zoned(name, value)
        case "extension":
            return _plain(name, value).lower().removeprefix(".")
        case "search":
            return _plain("q", value).translate(dict.fromkeys(map(ord, WORD_BREAKS), " "))
    return value


def _metadata(key: str, value: str) -> list[dict[str, Any]]:
    """The objects that metadata hold if they have that value there: one for each of its meanings."""
    keys = _plain("metadata", key).split(".")
    return [_nested(keys, meant) for meant in _meanings(_plain(f"metadata.{key}", value))]


def _meanings(text: str) -> list[Any]:
    """The JSON values that ``text`` may mean: always itself as text."""
    if _NUMBER.fullmatch(text):
        return [text, float(text) if "." in text else int(text)]
    return [text, _WORDS_OF_JSON[text]] if text in _WORDS_OF_JSON else [text]


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    nested: dict[str, Any] = value
    return nested


def _plain(field: str, text: str) -> str:
    if len(text) > LONGEST_SEARCH:
        raise InvalidInput(field, f"must have at most {LONGEST_SEARCH} characters")
    if has_control_character(text):
        raise InvalidInput(field, "must not hold control characters")
    return text


def _zoned(field: str, time: datetime) -> datetime:
    if time.tzinfo is None:
        raise InvalidInput(field, "must say its time zone, such as Z for UTC")
    return time
