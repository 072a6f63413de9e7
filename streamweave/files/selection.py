"""Which files are asked for: filters, full-text search, and what makes two selections different lists."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from streamweave.access.openings import Openings, openings_of, openings_of_project
from streamweave.access.visibility import covered
from streamweave.catalog.tables import FileRecord, FileVersion, User, VersionState
from streamweave.catalog.tables.file_records import WORD_BREAKS
from streamweave.errors import InvalidInput
from streamweave.rules import has_control_character

LONGEST_SEARCH = 500
LARGEST_SIZE = 2**63 - 1
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_WORDS_OF_JSON: dict[str, Any] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Selection:
    """Filters that a file passes all of; those that are None pass every file.

    ``acquired_from`` and ``acquired_to`` bound the source's mtime: from included, to excluded. Sizes are in bytes, both
    bounds included. ``extension`` goes without its dot, in any case. ``metadata`` holds pairs of a key, with dots
    between the keys of nested objects, and a value as text. ``search`` holds words that must all occur in the path or
    the metadata.
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

    @property
    def scope(self) -> str:
        """What binds a cursor to this selection."""
        return json.dumps(astuple(self), default=str)

    def records(self) -> Select[tuple[FileRecord]]:
        """The records of these files. Raises ``InvalidInput``."""
        records = select(FileRecord).where(*self._of_the_record(), *self._of_the_content())
        if self.state is None:
            return records
        newest = and_(FileVersion.file_id == FileRecord.id, FileVersion.is_newest)
        return records.join(FileVersion, newest).where(FileVersion.state == self.state)

    @property
    def in_order(self) -> "Selection":
        """As much of it as an index of the catalog has in order of time."""
        if self.state is not None:
            return Selection(state=self.state)
        if self.owner_id is not None:
            return Selection(owner_id=self.owner_id)
        if self.extension is not None:
            return Selection(extension=self.extension)
        return Selection(instrument_id=self.instrument_id)

    def _of_the_record(self) -> Iterator[ColumnElement[bool]]:
        if self.instrument_id is not None:
            yield FileRecord.instrument_id == self.instrument_id
        if self.owner_id is not None:
            yield FileRecord.owner_id == self.owner_id
        if self.acquired_from is not None:
            yield FileRecord.source_mtime >= _zoned("acquired_from", self.acquired_from)
        if self.acquired_to is not None:
            yield FileRecord.source_mtime < _zoned("acquired_to", self.acquired_to)

    def _of_the_content(self) -> Iterator[ColumnElement[bool]]:
        if self.min_size is not None:
            yield FileRecord.size_bytes >= self.min_size
        if self.max_size is not None:
            yield FileRecord.size_bytes <= self.max_size
        if self.extension is not None:
            yield FileRecord.extension == _plain("extension", self.extension).lower().removeprefix(".")
        if self.search is not None:
            yield FileRecord.words.bool_op("@@")(_words(_plain("q", self.search)))
        for key, value in self.metadata:
            yield _has_metadata(key, value)


EVERYTHING = Selection()


def records_shown(viewer: User, selection: Selection) -> Select[tuple[FileRecord]]:
    """The records of ``selection`` that ``viewer`` may see, provided that they are among ``openings_asked``."""
    records = selection.records()
    return records if viewer.is_admin else records.where(FileRecord.withdrawn_at.is_(None))


def selected(session: Session, viewer: User, selection: Selection) -> Select[tuple[FileRecord]]:
    """The records of ``selection`` that ``viewer`` may see."""
    records, openings = records_shown(viewer, selection), openings_asked(session, viewer, selection)
    return records if openings is None else records.where(covered(openings))


def openings_asked(session: Session, viewer: User, selection: Selection) -> Openings | None:
    """What of the selection's project, or else of everything, is open to ``viewer``; None for everything."""
    if selection.project_id is not None:
        # whatever is granted to a project is granted to those who belong to it
        openings = openings_of_project(session, viewer, selection.project_id)
    elif viewer.is_admin:
        return None
    else:
        openings = openings_of(session, viewer)
    return openings if selection.instrument_id is None else openings.on(selection.instrument_id)


def _words(search: str) -> ColumnElement[Any]:
    breaks = func.translate(search, WORD_BREAKS, " " * len(WORD_BREAKS))
    return func.plainto_tsquery("simple", breaks)


def _has_metadata(key: str, value: str) -> ColumnElement[bool]:
    field = f"metadata.{_plain('metadata', key)}"
    keys, text = key.split("."), _plain(field, value)
    return or_(*(FileRecord.metadata_.contains(_nested(keys, meant)) for meant in _meanings(text)))


def _meanings(text: str) -> list[Any]:
    """The JSON values that ``text`` may stand for: always itself as text."""
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
