"""What the lines of a journal say. Pure.

A journal is JSON Lines in UTF-8. Each batch begins with a *heading*, which says for which catalog, storage location,
instrument and run the entries below it were written; an *entry* is one copy of one version. Every line ends in
``,"check":"…"}``: the XXH64 of all that is before the comma. So a line that was torn when its writer crashed, or was
damaged since, is recognised; it is skipped and counted.

``FORMAT`` is in every heading. Readers take lines of their own format and of earlier ones, and ignore unknown keys.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec
import xxhash

FORMAT = 1
_CHECK = b',"check":"'
_END = b'"}'
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quoted: Callable[[str], str] = json.encoder.encode_basestring


@dataclass(frozen=True, slots=True)
class InstrumentFacts:
    """What is needed to recognise an instrument, and to create it anew: no host, no account.

    ``base_folder`` is the beginning of its source paths: the share, and the base path within it. Early journals lack
    it.
    """

    id: uuid.UUID
    slug: str
    name: str
    archive_folder: str
    timezone: str
    first_acquisition_day: date
    base_folder: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """Whose entries follow. ``written_at`` is UTC."""

    catalog_id: uuid.UUID
    location_id: uuid.UUID
    location_name: str
    run_id: uuid.UUID
    instrument: InstrumentFacts
    written_at: datetime


class Entry(NamedTuple):
    """A copy of a version, proven and durable, at ``archived_path`` within the location. Times are UTC.

    A tuple, because a harvest makes one for each file.

    ``number``, ``size_bytes`` and ``source_mtime`` are those of the version that the copy is of: of an earlier one,
    when the content was archived before. ``repairs`` counts the copies of it that were found damaged there before.
    ``is_unfinished``: the instrument may not have finished the file. ``location_id`` is that of the heading above the
    line: the storage location that the copy was proven in, which is another one when a disk was copied with its
    journals. None if no heading says it.
    """

    instrument_id: uuid.UUID
    file_id: uuid.UUID
    persistent_id: str
    source_path: str
    discovered_at: datetime
    version_id: uuid.UUID
    number: int
    size_bytes: int
    source_mtime: datetime
    xxhash: str
    sha256: str
    transfer_id: uuid.UUID
    archived_path: str
    archived_at: datetime
    repairs: int = 0
    is_unfinished: bool = False
    location_id: uuid.UUID | None = None


def lines_of(heading: Heading, entries: Iterable[Entry]) -> bytes:
    """A batch, as it is appended to a journal."""
    return b"".join([_line(_heading_fields(heading)), *map(_entry_line, entries)])


@dataclass(slots=True)
class Reader:
    """Reads the pieces of a journal, from the beginning of a batch on.

    ``headings`` are the last ones read of each instrument; ``illegible`` counts lines that could not be read, a torn
    one at the end included.
    """

    headings: dict[uuid.UUID, Heading] = field(default_factory=dict)
    illegible: int = 0

    def entries(self, pieces: Iterable[bytes]) -> Iterator[Entry]:
        """The entries, in order. An illegible line may be a heading: until the next one, no location is known."""
        location_id: uuid.UUID | None = None
        for line in _split(pieces):
            try:
                fields = _fields_of(line)
                if "streamweave_journal" in fields:
                    heading = _heading(fields)
                    self.headings[heading.instrument.id] = heading
                    location_id = heading.location_id
                else:
                    yield _entry(fields, location_id)
            except (KeyError, ValueError, TypeError, msgspec.ValidationError):
                self.illegible += 1
                location_id = None


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines; the last one may lack its end."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _line(fields: Mapping[str, Any]) -> bytes:
    return _with_check(_encode(fields).encode()[:-1])


def _with_check(content: bytes) -> bytes:
    return content + _CHECK + xxhash.xxh64_hexdigest(content).encode() + _END + b"\n"


def _fields_of(line: bytes) -> dict[str, Any]:
    """What a line says. Raises ``ValueError`` when it is not whole."""
    content, mark, check = line.rpartition(_CHECK)
    if not mark or check != xxhash.xxh64_hexdigest(content).encode() + _END:
        raise ValueError("it is not whole")
    fields: dict[str, Any] = json.loads(content + b"}")
    return fields


def _heading_fields(heading: Heading) -> dict[str, Any]:
    return {
        "streamweave_journal": FORMAT,
        "catalog": str(heading.catalog_id),
        "location": {"id": str(heading.location_id), "name": heading.location_name},
        "run": str(heading.run_id),
        "instrument": msgspec.to_builtins(heading.instrument),
        "written_at": heading.written_at.isoformat(),
    }


def _entry_line(entry: Entry) -> bytes:
    """Formatted without the encoder, which takes twice as long: a harvest writes one for each file."""
    content = (
        f'{{"ark":{_quoted(entry.persistent_id)},"instrument":"{entry.instrument_id}","file":"{entry.file_id}",'
        f'"source_path":{_quoted(entry.source_path)},"discovered_at":"{entry.discovered_at.isoformat()}",'
        f'"version":"{entry.version_id}","number":{entry.number},"size":{entry.size_bytes},'
        f'"source_mtime":"{entry.source_mtime.isoformat()}","xxhash":"{entry.xxhash}","sha256":"{entry.sha256}",'
        f'"transfer":"{entry.transfer_id}","archived_path":{_quoted(entry.archived_path)},'
        f'"archived_at":"{entry.archived_at.isoformat()}"'
    )
    if entry.repairs:
        content += f',"repairs":{entry.repairs}'
    if entry.is_unfinished:
        content += ',"unfinished":true'
    return _with_check(content.encode())


def _heading(fields: Mapping[str, Any]) -> Heading:
    if fields["streamweave_journal"] > FORMAT:
        raise ValueError("it was written by a later StreamWeave")
    return Heading(
        catalog_id=uuid.UUID(fields["catalog"]),
        location_id=uuid.UUID(fields["location"]["id"]),
        location_name=fields["location"]["name"],
        run_id=uuid.UUID(fields["run"]),
        instrument=msgspec.convert(fields["instrument"], InstrumentFacts),
        written_at=datetime.fromisoformat(fields["written_at"]),
    )


def _entry(fields: Mapping[str, Any], location_id: uuid.UUID | None) -> Entry:
    return Entry(
        instrument_id=uuid.UUID(fields["instrument"]),
        file_id=uuid.UUID(fields["file"]),
        persistent_id=fields["ark"],
        source_path=fields["source_path"],
        discovered_at=datetime.fromisoformat(fields["discovered_at"]),
        version_id=uuid.UUID(fields["version"]),
        number=fields["number"],
        size_bytes=fields["size"],
        source_mtime=datetime.fromisoformat(fields["source_mtime"]),
        xxhash=fields["xxhash"],
        sha256=fields["sha256"],
        transfer_id=uuid.UUID(fields["transfer"]),
        archived_path=fields["archived_path"],
        archived_at=datetime.fromisoformat(fields["archived_at"]),
        repairs=fields.get("repairs", 0),
        is_unfinished=fields.get("unfinished", False),
        location_id=location_id,
    )
