"""Conditional requests and ranges (RFC 9110, sections 13 and 14): what the headers of a download ask for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from litestar.exceptions import HTTPException

_ENTITY_TAG = re.compile(r'(W/)?("[^"]*")')
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a representation, in bytes."""

    offset: int
    length: int


def is_known(headers: Mapping[str, str], etag: str) -> bool:
    """Whether whoever asks has this content already (``If-None-Match``): 304. Raises 412 where ``If-Match`` fails."""
    wanted = headers.get("if-match")
    if wanted is not None and wanted.strip() != "*" and etag not in _strong_tags(wanted):
        raise HTTPException(status_code=412, detail="The file's content is not the one that If-Match names")
    known = headers.get("if-none-match")
    return known is not None and (known.strip() == "*" or etag in _all_tags(known))


def span_asked(headers: Mapping[str, str], etag: str, size: int) -> Span | None:
    """The single range that is asked for; None for the whole: without one, or with several, or ``If-Range`` of another.

    Raises 416 for a range that begins after the end.
    """
    asked = _RANGE.fullmatch(headers.get("range", ""))
    if not asked or not size or headers.get("if-range", etag).strip() != etag:
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
