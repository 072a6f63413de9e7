"""The bodies of files and their versions, and the query parameters of lists of files. Sizes in bytes, times in UTC."""

from dataclasses import fields
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from msgspec import field

from streamweave.catalog.tables import FileVersion, VersionState
from streamweave.errors import InvalidInput
from streamweave.files.listing import Sort
from streamweave.files.selection import LARGEST_SIZE, LONGEST_SEARCH, Selection
from streamweave_api.bodies import Incoming, Outgoing, shown
from streamweave_api.pagination import Asked

SelectionAsked = NamedDependency[Selection]
METADATA = "metadata."
PAGING = frozenset({"limit", "cursor", "sort", "count"})
FILTERS = frozenset({"q", *(each.name for each in fields(Selection))} - {"search", "metadata"})
# `state` itself is a reserved word of Litestar's handlers
State = Annotated[VersionState | None, QueryParameter(name="state", description="The state of its newest version")]
Project = Annotated[UUID | None, QueryParameter(description="Granted to this project, as file, folder or instrument")]
From = Annotated[datetime | None, QueryParameter(description="Earliest mtime at the source, with its time zone")]
To = Annotated[datetime | None, QueryParameter(description="First mtime at the source that is too late")]
MinSize = Annotated[int | None, QueryParameter(ge=0, le=LARGEST_SIZE, description="Smallest size in bytes")]
MaxSize = Annotated[int | None, QueryParameter(ge=0, le=LARGEST_SIZE, description="Largest size in bytes")]
Extension = Annotated[
    str | None, QueryParameter(min_length=1, max_length=33, description="After the name's last dot, in any case: tif")
]
Search = Annotated[
    str | None,
    QueryParameter(
        name="q", min_length=1, max_length=LONGEST_SEARCH, description="Words that all occur in path or metadata"
    ),
]
SortBy = Annotated[Sort, QueryParameter(name="sort", description="What to sort by; a minus means descending")]
Count = Annotated[bool, QueryParameter(description="Count all of them, into the header X-Total-Count")]


class FileBody(Outgoing):
    """A file: its record, and the state of its newest version."""

    id: UUID
    persistent_id: str
    persistent_id_type: str
    instrument_id: UUID
    source_path: str
    filename: str
    size_bytes: int
    source_mtime: datetime
    xxhash: str | None
    sha256: str | None
    first_discovered_at: datetime
    metadata_: dict[str, Any]
    owner_id: UUID | None
    gone_at: datetime | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    version: int
    acquisition_day: date
    state: str
    reason: str
    state_since: datetime


class VersionBody(Outgoing):
    """One content of a file.

    ``unfinished`` says why it was archived though the instrument may not have finished it; ``found_by_rereading`` that
    size and mtime were those of the version before; ``source_verified_at`` when the source was last read again
    and had this content.
    """

    id: UUID
    file_id: UUID
    number: int
    is_newest: bool
    size_bytes: int
    source_mtime: datetime
    acquisition_day: date
    clock_skew_seconds: float | None
    xxhash: str | None
    sha256: str | None
    state: str
    reason: str
    state_since: datetime
    discovered_at: datetime
    failures: int
    retry_at: datetime | None
    archived_at: datetime | None
    unfinished: str | None
    found_by_rereading: bool
    source_verified_at: datetime | None
    enrichment_error: str | None


class FileScanBody(Outgoing):
    """One scan of a file's share, without what it found else: that may be others' files."""

    id: UUID
    outcome: str
    started_at: datetime
    finished_at: datetime | None


class EventBody(Outgoing):
    """What happened to a file; ``streamweave.files.queries`` has the words of ``event``."""

    at: datetime
    event: str
    version: int | None
    detail: str | None
    storage_location: str | None
    transfer_id: UUID | None


class ArchiveRequest(Incoming):
    """Which files go into a ZIP; empty where filters in the address select them."""

    file_ids: list[UUID] = field(default_factory=list)


class Withdrawal(Incoming):
    """Why a file is withdrawn; its tombstone shows it."""

    reason: str


def file_body(newest: FileVersion) -> FileBody:
    """The file of a newest version, whose record is loaded."""
    of_version = ("xxhash", "sha256", "acquisition_day", "state", "reason", "state_since")
    return shown(newest.file, FileBody, version=newest.number, **{name: getattr(newest, name) for name in of_version})


def provide_selection(
    request: Asked,
    instrument_id: FromQuery[UUID | None] = None,
    in_state: State = None,
    project_id: Project = None,
    owner_id: FromQuery[UUID | None] = None,
    acquired_from: From = None,
    acquired_to: To = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    extension: Extension = None,
    search: Search = None,
) -> Selection:
    """The dependency ``selection``: which files are asked for. Raises ``InvalidInput`` for unknown parameters.

    ``metadata.<key>=<value>`` asks for files with that metadata; dots lead into nested objects.
    """
    return Selection(
        instrument_id=instrument_id,
        state=in_state,
        project_id=project_id,
        owner_id=owner_id,
        acquired_from=acquired_from,
        acquired_to=acquired_to,
        min_size=min_size,
        max_size=max_size,
        extension=extension,
        search=search,
        metadata=_metadata(request),
    )


def _metadata(request: Asked) -> tuple[tuple[str, str], ...]:
    pairs = []
    for name, value in request.query_params.multi_items():
        key = name.removeprefix(METADATA)
        if name.startswith(METADATA) and key:
            pairs.append((key, value))
        elif name not in FILTERS | PAGING:
            raise InvalidInput(name, "unknown parameter")
    return tuple(pairs)
