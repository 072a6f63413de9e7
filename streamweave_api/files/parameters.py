"""The query parameters of lists of files."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from streamweave.catalog.tables import VersionState
from streamweave.errors import InvalidInput
from streamweave.files.listing import Sort
from streamweave.files.selection import LARGEST_SIZE, LONGEST_SEARCH, Selection
from streamweave_api.pagination import Asked

SelectionAsked = NamedDependency[Selection]

METADATA = "metadata."
PAGING = frozenset({"limit", "cursor", "sort", "count"})
FILTERS = frozenset(
    {
        "instrument_id",
        "state",
        "project_id",
        "owner_id",
        "acquired_from",
        "acquired_to",
        "min_size",
        "max_size",
        "extension",
        "q",
    }
)

# `state` itself is a reserved word of Litestar's handlers
State = Annotated[VersionState | None, QueryParameter(name="state", description="Where its newest version stands")]
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
