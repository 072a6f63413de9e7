"""Downloads: one archived version, or a ZIP of many, streamed from any copy that can be read.

Conditional requests and ranges follow RFC 9110, sections 13 and 14. Bodies are read while they are sent, in threads of
their own, so that slow downloads don't delay other responses.
"""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from anyio import CancelScope
from litestar import HttpMethod, Router, post, route
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from litestar.status_codes import HTTP_200_OK, HTTP_206_PARTIAL_CONTENT, HTTP_304_NOT_MODIFIED
from litestar.types import Receive, Scope, Send
from sqlalchemy.orm import Session

from streamweave.catalog.tables import User
from streamweave.errors import InvalidInput
from streamweave.files.contents import (
    Content,
    OpenCopy,
    content_of_version,
    contents_by_id,
    contents_selected,
    media_type,
    newest_content,
    open_copy,
)
from streamweave.files.packing import Package
from streamweave.files.selection import Selection
from streamweave.storage.opening import storage_opener
from streamweave_api.auth import ONLY_READS, Viewer
from streamweave_api.files import FILTERS, METADATA, ArchiveRequest, SelectionAsked, provide_selection
from streamweave_api.openapi.answers import errors
from streamweave_api.pagination import Asked
from streamweave_api.service import Service, TheService, Threads

_ENTITY_TAG = re.compile(r'(W/)?("[^"]*")')
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)

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
READING = [HttpMethod.GET, HttpMethod.HEAD]
ANY_TYPE = "*/*"  # that of the file, by its name
CONTENT = {
    200: ResponseSpec(bytes, generate_examples=False, description="The content", media_type=ANY_TYPE),
    206: ResponseSpec(bytes, generate_examples=False, description="The range asked for", media_type=ANY_TYPE),
    304: ResponseSpec(None, description="It is the content that If-None-Match names"),
    **errors(412, 416),
}
ZIP = {
    200: ResponseSpec(bytes, generate_examples=False, description="The ZIP", media_type="application/zip"),
    **errors(404),
}


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
    """Whether the client has this content already: 304. Raises 412 where ``If-Match`` or its date fails.

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


apart = Threads("downloads", 8).run


class Download(ASGIStreamingResponse):
    """The pieces as a body. They are closed whatever happens: the end, a client that goes away, an error."""

    def __init__(self, pieces: OpenCopy | Package, headers: dict[str, Any], **options: Any) -> None:
        super().__init__(iterator=_read(pieces), headers=headers, **options)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await apart(self._pieces.close)


async def _read(pieces: OpenCopy | Package) -> AsyncIterator[bytes]:
    while piece := await apart(lambda: next(pieces, b"")):
        yield piece


@route("/{file_id:uuid}/content", http_method=READING, responses=CONTENT, summary="Download a file")
async def download_file(
    service: TheService, viewer: Viewer, request: Asked, conditions: ConditionsAsked, file_id: FromPath[UUID]
) -> ASGIResponse:
    """The newest archived version; its ETag is the SHA-256."""
    content = await sync_to_thread(service.read, newest_content, viewer, file_id)
    return await _download(service, request, conditions, content)


@route(
    "/{file_id:uuid}/versions/{number:int}/content",
    http_method=READING,
    responses=CONTENT,
    summary="Download a version",
)
async def download_version(
    service: TheService,
    viewer: Viewer,
    request: Asked,
    conditions: ConditionsAsked,
    file_id: FromPath[UUID],
    number: FromPath[int],
) -> ASGIResponse:
    """One archived version, as for the newest one."""
    content = await sync_to_thread(service.read, content_of_version, viewer, file_id, number)
    return await _download(service, request, conditions, content)


@post("/archive", status_code=200, opt=ONLY_READS, responses=ZIP, summary="Download many files as a ZIP")
async def download_archive(
    service: TheService, viewer: Viewer, request: Asked, selection: SelectionAsked, data: JSONBody[ArchiveRequest]
) -> ASGIResponse:
    """A ZIP of the newest archived versions of ``file_ids``, or, without them, of what the list's filters select.

    One of ``file_ids`` that can't be seen or isn't archived is 404; filters pass over what isn't archived.
    """
    filtered = any(name in FILTERS or name.startswith(METADATA) for name in request.query_params)
    if filtered == bool(data.file_ids):
        raise InvalidInput("file_ids", "name files here, or select them with filters, and not both")
    contents = await sync_to_thread(service.read, _selected, viewer, data.file_ids, selection)
    package = Package(contents, storage_opener(service.sealer))
    headers = {"Content-Length": str(package.size_bytes), "Content-Disposition": _attachment("streamweave.zip")}
    return Download(package, headers, media_type="application/zip")


async def _download(service: Service, request: Asked, conditions: Conditions, content: Content) -> ASGIResponse:
    etag, head = f'"{content.sha256}"', request.method == HttpMethod.HEAD
    last_modified = _last_modified(content)
    headers = {
        "ETag": etag,
        "Last-Modified": format_datetime(last_modified, usegmt=True),
        "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(content.sha256)).decode()}:",  # RFC 9530
        "Cache-Control": "private, no-cache",
    }
    if is_known(conditions, etag, last_modified):
        return ASGIResponse(status_code=HTTP_304_NOT_MODIFIED, headers=headers, is_head_response=head)
    # a HEAD has no ranges (RFC 9110, section 14.2)
    span = None if head else span_asked(conditions, etag, content.size_bytes)
    part = span or Span(0, content.size_bytes)
    copy = await apart(open_copy, content, storage_opener(service.sealer), part.offset, part.length)
    return Download(
        copy,
        {**headers, **_described(content, part, is_part=span is not None)},
        status_code=HTTP_206_PARTIAL_CONTENT if span else HTTP_200_OK,
        media_type=media_type(content.filename),
        is_head_response=head,
    )


def _last_modified(content: Content) -> datetime:
    """To the second, and never in the future, whatever the instrument's clock says (RFC 9110, section 8.8.2.1)."""
    return min(content.modified_at, datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)


def _described(content: Content, part: Span, *, is_part: bool) -> dict[str, str]:
    described = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(part.length),
        "Content-Type": media_type(content.filename),
        "Content-Disposition": _attachment(content.filename),
    }
    if is_part:
        described["Content-Range"] = f"bytes {part.offset}-{part.offset + part.length - 1}/{content.size_bytes}"
    return described


def _attachment(filename: str) -> str:
    """RFC 6266: a name for old clients, and the whole name percent-encoded (RFC 8187)."""
    plain = "".join(each if each.isascii() and each.isprintable() and each not in '"\\%' else "_" for each in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _selected(session: Session, viewer: User, file_ids: list[UUID], selection: Selection) -> list[Content]:
    if file_ids:
        return contents_by_id(session, viewer, file_ids)
    return contents_selected(session, viewer, selection)


downloads_router = Router(
    "/api/files",
    route_handlers=[download_file, download_version, download_archive],
    dependencies={
        "selection": Provide(provide_selection, sync_to_thread=False),
        "conditions": Provide(provide_conditions, sync_to_thread=False),
    },
    tags=["Files"],
)
