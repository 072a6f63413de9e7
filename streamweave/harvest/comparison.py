"""What a listing tells, held against what the catalog knows. Pure."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from streamweave.catalog.tables import VersionState
from streamweave.catalog.tables.file_versions import WATCHED
from streamweave.sources.base import SourceFile


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file record with its newest version, as the catalog holds it."""

    file_id: uuid.UUID
    version_id: uuid.UUID
    source_path: str
    size_bytes: int
    mtime: datetime
    state: str
    is_gone: bool
    is_claimed: bool


@dataclass(slots=True)
class Differences:
    """What must be written. Files that are as they were appear nowhere."""

    new: list[SourceFile] = field(default_factory=list)
    changed: list[tuple[KnownFile, SourceFile]] = field(default_factory=list)
    watched: list[KnownFile] = field(default_factory=list)
    returned: list[KnownFile] = field(default_factory=list)
    missing: list[KnownFile] = field(default_factory=list)


def compare(listed: Iterable[SourceFile], known: Mapping[str, KnownFile]) -> Differences:
    """Compare completely listed folders with all that is known of these folders (by source path).

    A version that a run is copying at this moment is left alone: the next look sees its change again.
    """
    differences = Differences()
    seen = set()
    for file in listed:
        if file.source_path in seen:
            continue  # a server may list a name twice
        seen.add(file.source_path)
        before = known.get(file.source_path)
        if before is None:
            differences.new.append(file)
        elif not before.is_claimed:
            _compare_one(file, before, differences)
    differences.missing = [file for path, file in known.items() if path not in seen and not file.is_gone]
    return differences


def _compare_one(file: SourceFile, before: KnownFile, differences: Differences) -> None:
    if (file.size_bytes, file.mtime) != (before.size_bytes, before.mtime):
        differences.changed.append((before, file))
    elif before.is_gone or before.state == VersionState.VANISHED:
        differences.returned.append(before)
    elif before.state in WATCHED:
        differences.watched.append(before)
