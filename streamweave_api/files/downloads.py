"""Downloads: one archived version, or a ZIP of many, streamed from wherever a copy of it can be read."""

from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote
from uuid import UUID

from litestar import HttpMethod, post, route
from litestar.concurrency import sync_to_thread
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.response.base import ASGIResponse
from litestar.status_codes import HTTP_200_OK, HTTP_206_PARTIAL_CONTENT, HTTP_304_NOT_MODIFIED

from streamweave.catalog.tables import User
from streamweave.errors import InvalidInput
from streamweave.files.contents import (
    Content,
    content_of_version,
    contents_by_id,
    contents_selected,
    newest_content,
    open_copy,
)
from streamweave.files.dataset import media_type
from streamweave.files.packing import Package
from streamweave.files.selection import Selection
from streamweave.storage.opening import storage_opener
from streamweave_api.auth import ONLY_READS, Viewer
from streamweave_api.files.parameters import FILTERS, METADATA, SelectionAsked
from streamweave_api.files.ranges import Conditions, ConditionsAsked, Span, is_known, span_asked
from streamweave_api.files.schemas import ArchiveRequest
from streamweave_api.files.streaming import Download, apart
from streamweave_api.openapi.errors import errors
from streamweave_api.pagination import Asked
from streamweave_api.service import Service, TheService

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


@route("/{file_id:uuid}/content", http_method=READING, responses=CONTENT, summary="Download a file")
async def download_file(
    service: TheService, viewer: Viewer, request: Asked, conditions: ConditionsAsked, file_id: FromPath[UUID]
) -> ASGIResponse:
    """The newest archived version; its ETag is the SHA-256."""
    content = await sync_to_thread(_newest, service, viewer, file_id)
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
    content = await sync_to_thread(_version, service, viewer, file_id, number)
    return await _download(service, request, conditions, content)


@post("/archive", status_code=200, opt=ONLY_READS, responses=ZIP, summary="Download many files as a ZIP")
async def download_archive(
    service: TheService,
    viewer: Viewer,
    request: Asked,
    selection: SelectionAsked,
    data: JSONBody[ArchiveRequest],
) -> ASGIResponse:
    """A ZIP of the newest archived versions of ``file_ids``, or, without them, of what the list's filters select.

    One of ``file_ids`` that can't be seen or isn't archived is 404; filters pass over what isn't archived.
    """
    filtered = any(name in FILTERS or name.startswith(METADATA) for name in request.query_params)
    if filtered == bool(data.file_ids):
        raise InvalidInput("file_ids", "name files here, or select them with filters, and not both")
    contents = await sync_to_thread(_selected, service, viewer, data.file_ids, selection)
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


def _newest(service: Service, viewer: User, file_id: UUID) -> Content:
    with service.reading() as session:
        return newest_content(session, viewer, file_id)


def _version(service: Service, viewer: User, file_id: UUID, number: int) -> Content:
    with service.reading() as session:
        return content_of_version(session, viewer, file_id, number)


def _selected(service: Service, viewer: User, file_ids: list[UUID], selection: Selection) -> list[Content]:
    with service.reading() as session:
        if file_ids:
            return contents_by_id(session, viewer, file_ids)
        return contents_selected(session, viewer, selection)
