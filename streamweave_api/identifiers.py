"""The resolver: an identifier redirects users who may see its file; for all others it only exists.

It also serves the citation, a description, the links of Signposting, and the tombstone of a withdrawn file.
"""

from typing import Annotated, Any

from litestar import HttpMethod, Response, Router, route
from litestar.concurrency import sync_to_thread
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from streamweave.catalog.tables import User
from streamweave.files.contents import media_type
from streamweave.files.resolving import Citation, Named, Support, erc, resolve, tombstone
from streamweave_api.auth import LOGIN_OPTIONAL, MaybeViewer
from streamweave_api.openapi.answers import ERRORS, ErrorBody
from streamweave_api.pagination import Asked
from streamweave_api.service import Service, TheService

READING = [HttpMethod.GET, HttpMethod.HEAD]
LINKED_DATA, PLAIN_TEXT = "application/ld+json", "text/plain"
OFFERED = ["application/json", "text/html", LINKED_DATA, PLAIN_TEXT]
INFLECTION = b"?"  # the second one of `??`, as ARKs had it; a single one is the same as none
Info = Annotated[
    str | None, QueryParameter(description="`?info`, without a value: the ERC record and the commitment statement")
]


class WithdrawnBody(ErrorBody, kw_only=True):
    """The tombstone of what was withdrawn: who, what, when, where, since when it is withdrawn, and why."""

    tombstone: dict[str, str]


def landing_path(named: Named) -> str:
    """Where the resolver leads to."""
    path = f"/api/files/{named.record.id}"
    return path if named.version is None else f"{path}/versions/{named.version.number}"


def content_path(named: Named) -> str:
    """Where the bytes are."""
    return f"{landing_path(named)}/content"


def citation_of(named: Named, support: Support) -> Citation:
    """Who, what, when, where. Its creator may be unknown; the facility that acquired it isn't."""
    version = named.version or named.newest
    return Citation(support.who, named.record.source_path, version.source_mtime, named.identifier)


def dataset(named: Named, support: Support, public_url: str) -> dict[str, Any]:
    """The file as harvesters of research data read it: a Dataset of schema.org in JSON-LD.

    While nothing is archived it has no ``distribution``.
    """
    version, base, filename = named.version or named.newest, public_url.rstrip("/"), named.record.filename
    document = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": named.identifier,
        "identifier": named.identifier,
        "name": filename,
        "description": named.record.source_path,
        "url": f"{base}{landing_path(named)}",
        "dateCreated": version.source_mtime.isoformat(),
        "version": str(version.number),
        "publisher": {"@type": "Organization", "name": support.who},
        "encodingFormat": media_type(filename),
    }
    if named.content is None:
        return document
    distribution = {
        "@type": "DataDownload",
        "contentUrl": f"{base}{content_path(named)}",
        "contentSize": f"{named.content.size_bytes} B",
        "encodingFormat": media_type(filename),
        "sha256": named.content.sha256,
    }
    return {**document, "distribution": distribution}


def links_of(named: Named, public_url: str) -> str:
    """The links of Signposting (level 1) as one header; RFC 8288."""
    address = f"{public_url.rstrip('/')}/{named.identifier}"
    links = [
        f'<{address}>; rel="cite-as"',
        f'<{address}?info>; rel="describedby"; type="text/plain"',
        f'<{address}>; rel="describedby"; type="application/ld+json"',
    ]
    if named.content is not None:
        item = f"{public_url.rstrip('/')}{content_path(named)}"
        links.append(f'<{item}>; rel="item"; type="{media_type(named.record.filename)}"')
    return ", ".join(links)


ANSWERS = {
    200: ResponseSpec(
        str, generate_examples=False, description="Its ERC record, or its Dataset", media_type=PLAIN_TEXT
    ),
    303: ResponseSpec(None, description="Location is where the file is"),
    410: ResponseSpec(WithdrawnBody, generate_examples=False, description=ERRORS[410][0]),
}


@route("/ark:/{name:path}", http_method=READING, opt=LOGIN_OPTIONAL, responses=ANSWERS, summary="Resolve an identifier")
async def resolve_with_slash(
    service: TheService, viewer: MaybeViewer, request: Asked, name: FromPath[str], info: Info = None
) -> Response[Any]:
    """``/ark:/NAAN/name`` redirects to the file. ``?info`` answers with its ERC record; ``Accept: application/ld+json``
    with a schema.org Dataset; ``.v2`` after the name means that version. A withdrawn file answers 410 with a tombstone.
    """
    return await _answer(service, viewer, request, info, f"ark:/{name.lstrip('/')}")


@route("/{label:str}/{name:path}", http_method=READING, opt=LOGIN_OPTIONAL, include_in_schema=False)
async def resolve_without_slash(
    service: TheService,
    viewer: MaybeViewer,
    request: Asked,
    label: FromPath[str],
    name: FromPath[str],
    info: Info = None,
) -> Response[Any]:
    """``/ark:NAAN/name``, which means the same, and the label in upper case."""
    if not label.lower().startswith("ark:"):
        raise NotFoundException
    return await _answer(service, viewer, request, info, f"{label}/{name.lstrip('/')}")


async def _answer(service: Service, viewer: User | None, request: Asked, info: str | None, text: str) -> Response[Any]:
    hide = service.settings.private_identifiers == "hidden"
    named = await sync_to_thread(service.read, resolve, viewer, text, hide_private=hide)
    headers = {"Link": links_of(named, service.settings.public_url), "Vary": "Accept, Authorization, Cookie"}
    if named.record.withdrawn_at is not None:
        return _tombstone(service, named, headers)
    wanted = request.accept.best_match(OFFERED)
    if info is not None or request.scope["query_string"] == INFLECTION or wanted == PLAIN_TEXT:
        record = erc(citation_of(named, service.support), service.support)
        return Response(record, media_type=PLAIN_TEXT, headers=headers)
    if wanted == LINKED_DATA:
        described = dataset(named, service.support, service.settings.public_url)
        return Response(described, media_type=LINKED_DATA, headers=headers)
    return Response(None, status_code=303, headers={**headers, "Location": landing_path(named)})


def _tombstone(service: Service, named: Named, headers: dict[str, str]) -> Response[Any]:
    record = named.record
    assert record.withdrawn_at is not None, "only what was withdrawn has a tombstone"
    why = record.withdrawn_reason or ""
    remains = tombstone(citation_of(named, service.support), why, record.withdrawn_at)
    return Response(
        {"detail": f"This file was withdrawn: {why}", "tombstone": remains}, status_code=410, headers=headers
    )


identifiers_router = Router("/", route_handlers=[resolve_with_slash, resolve_without_slash], tags=["Identifiers"])
