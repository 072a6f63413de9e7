"""The mark of a storage location: a small JSON file that says which location of which catalog a place is.

It is written once, into ``.streamweave/location``, and compared before anything is written there, swept, verified or
certified. So an empty mount point, another disk, or a place that another catalog uses is never taken for the location.
Everything here is pure; storages read and write the bytes.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

PURPOSE = "This is a storage location of StreamWeave. Do not change or remove this file."
EARLY_MARKS = (
    b"This folder is a storage location of StreamWeave. Do not remove this file.\n",
    b"This prefix is a storage location of StreamWeave. Do not remove this object.\n",
)
"""What marks were before they said whose they are: of a folder, and of a prefix in a bucket."""
LONGEST_MARK = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """Which location of which catalog a place is. ``made_at`` is UTC, in whole microseconds as the catalog keeps it."""

    location_id: uuid.UUID
    catalog_id: uuid.UUID
    made_at: datetime

    def content(self) -> bytes:
        """The bytes that are written."""
        fields = {
            "about": PURPOSE,
            "location_id": str(self.location_id),
            "catalog_id": str(self.catalog_id),
            "made_at": self.made_at.isoformat(),
        }
        return (json.dumps(fields, indent=2) + "\n").encode()

    def names_same_place(self, other: "Mark") -> bool:
        """Whether both are marks of the same location of the same catalog, whenever they were made."""
        return (self.location_id, self.catalog_id) == (other.location_id, other.catalog_id)


class NoMark(StrEnum):
    """Why a place has no mark that could be compared."""

    MISSING = "missing"
    EARLY = "early"  # from a release whose marks did not say whose they are
    UNREADABLE = "unreadable"


FoundMark = Mark | NoMark


def parse_mark(content: bytes | None) -> FoundMark:
    """What the bytes of a mark say; None stands for no mark at all."""
    if content is None:
        return NoMark.MISSING
    if content in EARLY_MARKS:
        return NoMark.EARLY
    try:
        fields = json.loads(content)
        made_at = datetime.fromisoformat(fields["made_at"])
        mark = Mark(uuid.UUID(fields["location_id"]), uuid.UUID(fields["catalog_id"]), made_at)
    except (ValueError, TypeError, KeyError, AttributeError):
        return NoMark.UNREADABLE
    return NoMark.UNREADABLE if made_at.tzinfo is None else mark


def refusal(place: str, found: FoundMark, expected: Mark, found_name: str | None = None) -> str | None:
    """Why ``place`` must not be used as the location that ``expected`` belongs to; None if it may be.

    A mark that was made later than the expected one is accepted: the catalog was restored from an older dump.
    ``found_name`` is the name of the location whose mark was found, if the catalog knows it.
    """
    match found:
        case NoMark.MISSING:
            return f"{place} is not the place it was: no mark (.streamweave/location). Is the disk mounted?"
        case NoMark.EARLY:
            return f"{place}: its mark is of an earlier release and does not say whose it is"
        case NoMark.UNREADABLE:
            return f"{place}: its mark (.streamweave/location) can't be read as one; restore or adopt the place"
    if found.catalog_id != expected.catalog_id:
        return (
            f"{place} belongs to another catalog: its mark, made {_day(found)}, names catalog {found.catalog_id}, "
            f"not ours ({expected.catalog_id})"
        )
    if found.location_id != expected.location_id:
        other = f"{found_name!r}" if found_name else f"{found.location_id}, which the catalog does not know"
        return f"{place} bears the mark of another storage location: {other}. Were disks exchanged or mounted twice?"
    if found.made_at < expected.made_at:
        return (
            f"{place} was replaced: its mark is of {_day(found)}, but the location was marked anew on "
            f"{_day(expected)}. Is an old disk mounted?"
        )
    return None


def _day(mark: Mark) -> str:
    return f"{mark.made_at:%Y-%m-%d %H:%M} UTC"
