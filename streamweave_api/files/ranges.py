"""Conditional requests and ranges (RFC 9110, sections 13 and 14): what the headers of a download ask for."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import HeaderParameter

_ENTITY_TAG = re.compile(r'(W/)?("[^"]*")')
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a representation, in bytes."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """The headers that say which part is wanted, and under which conditions."""

    range: str
    if_range: str | None
    if_match: str | None
    if_none_match: str | None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None


ConditionsAsked = NamedDependency[Conditions]

Range = Annotated[
    str, HeaderParameter(name="Range", description="One range of bytes: `bytes=0-9`, `bytes=10-` or `bytes=-10`")
]
IfRange = Annotated[
    str | None, HeaderParameter(name="If-Range", description="The range only of the content with this ETag, else all")
]
IfMatch = Annotated[
    str | None, HeaderParameter(name="If-Match", description="Only the content with one of these ETags, else 412")
]
IfNoneMatch = Annotated[
    str | None, HeaderParameter(name="If-None-Match", description="304 for the content with one of these ETags")
]


IfModifiedSince = Annotated[
    str | None,
    HeaderParameter(name="If-Modified-Since", description="304 if this is its Last-Modified; for want of an ETag"),
]
IfUnmodifiedSince = Annotated[
    str | None,
    HeaderParameter(name="If-Unmodified-Since", description="412 if it was modified later; for want of an ETag"),
]


def provide_conditions(
    range_asked: Range = "",
    if_range: IfRange = None,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
    if_modified_since: IfModifiedSince = None,
    if_unmodified_since: IfUnmodifiedSince = None,
) -> Conditions:
    """The dependency ``conditions``: what the headers of a download ask for."""
    return Conditions(
        range_asked, if_range, if_match, if_none_match, _date(if_modified_since), _date(if_unmodified_since)
    )


def is_known(conditions: Conditions, etag: str, last_modified: datetime) -> bool:
    """Whether whoever asks has this content already: 304. Raises 412 where ``If-Match`` or its date fails.

    A date counts only where there is no ETag to go by (RFC 9110, section 13.2.2). An older file may have taken the
    place of a newer one, so only the very date of this content says that it is known.
    """
    wanted, known = conditions.if_match, conditions.if_none_match
    if wanted is not None and wanted.strip() != "*" and etag not in _strong_tags(wanted):
        raise HTTPException(status_code=412, detail="The file's content is not the one that If-Match names")
    before = conditions.if_unmodified_since
    if wanted is None and before is not None and last_modified > before:
        raise HTTPException(status_code=412, detail="The file's content is newer than If-Unmodified-Since says")
    if known is not None:
        return known.strip() == "*" or etag in _all_tags(known)
    return conditions.if_modified_since == last_modified


def span_asked(conditions: Conditions, etag: str, size: int) -> Span | None:
    """The single range that is asked for; None for the whole: without one, or with several, or ``If-Range`` of another.

    A date as ``If-Range`` brings the whole: within its second the content may have changed (RFC 9110, section 8.8.2.2).

    Raises 416 for a range that begins after the end.
    """
    asked = _RANGE.fullmatch(conditions.range)
    if not asked or not size or (conditions.if_range or etag).strip() != etag:
        return None
    first, last = asked.groups()
    if not first:
        return _suffix(last, size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise _not_satisfiable(size)
    end = min(int(last), size - 1) if last else size - 1
    return Span(int(first), end - int(first) + 1)


def _date(header: str | None) -> datetime | None:
    """A date of RFC 9110, section 5.6.7; what is none is passed over, as it says."""
    try:
        date = parsedate_to_datetime(header or "")
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _suffix(digits: str, size: int) -> Span | None:
    if not digits:
        return None
    length = min(int(digits), size)
    if length == 0:
        raise _not_satisfiable(size)
    return Span(size - length, length)


def _not_satisfiable(size: int) -> HTTPException:
    headers = {"Content-Range": f"bytes */{size}"}
    return HTTPException(status_code=416, detail=f"The range lies beyond the file's {size} bytes", headers=headers)


def _strong_tags(header: str) -> list[str]:
    return [tag for weak, tag in _ENTITY_TAG.findall(header) if not weak]


def _all_tags(header: str) -> list[str]:
    return [tag for _, tag in _ENTITY_TAG.findall(header)]
