"""The resolver: identifiers lead to files, for those who may see them; to all others they only exist."""

from typing import Annotated, Any

from litestar import HttpMethod, Response, Router, route
from litestar.concurrency import sync_to_thread
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from streamweave.catalog.tables import User
from streamweave.files.dataset import dataset
from streamweave.files.resolving import Named, erc, resolve, tombstone
from streamweave_api.auth import LOGIN_OPTIONAL, MaybeViewer
from streamweave_api.identifiers.landing import citation_of, description_of, landing_path, links_of
from streamweave_api.identifiers.schemas import WithdrawnBody
from streamweave_api.openapi.errors import DESCRIPTIONS
from streamweave_api.pagination import Asked
from streamweave_api.service import Service, TheService

READING = [HttpMethod.GET, HttpMethod.HEAD]
LINKED_DATA, PLAIN_TEXT = "application/ld+json", "text/plain"
OFFERED = ["application/json", "text/html", LINKED_DATA, PLAIN_TEXT]
INFLECTION = b"?"  # the second one of `??`, as ARKs had it; a single one can't be told from none

Info = Annotated[
    str | None, QueryParameter(description="`?info`, without a value: the ERC record and the commitment statement")
]

ANSWERS = {
    200: ResponseSpec(
        str, generate_examples=False, description="Its ERC record, or its Dataset", media_type=PLAIN_TEXT
    ),
    303: ResponseSpec(None, description="Location is where the file is"),
    410: ResponseSpec(WithdrawnBody, generate_examples=False, description=DESCRIPTIONS[410]),
}


@route(
    "/ark:/{name:path}",
    http_method=READING,
    opt=LOGIN_OPTIONAL,
    responses=ANSWERS,
    summary="Resolve an identifier",
)
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
    """``/ark:NAAN/name``, which is the same for ever, and the label in upper case."""
    if not label.lower().startswith("ark:"):
        raise NotFoundException
    return await _answer(service, viewer, request, info, f"{label}/{name.lstrip('/')}")


async def _answer(service: Service, viewer: User | None, request: Asked, info: str | None, text: str) -> Response[Any]:
    named = await sync_to_thread(_resolved, service, viewer, text)
    headers = {"Link": links_of(named, service.public_url), "Vary": "Accept, Authorization, Cookie"}
    if named.record.withdrawn_at is not None:
        return _tombstone(service, named, headers)
    wanted = request.accept.best_match(OFFERED)
    if info is not None or request.scope["query_string"] == INFLECTION or wanted == PLAIN_TEXT:
        record = erc(citation_of(named, service.support), service.support)
        return Response(record, media_type=PLAIN_TEXT, headers=headers)
    if wanted == LINKED_DATA:
        described = description_of(named, service.support, service.public_url)
        return Response(dataset(described), media_type=LINKED_DATA, headers=headers)
    return Response(None, status_code=303, headers={**headers, "Location": landing_path(named)})


def _resolved(service: Service, viewer: User | None, text: str) -> Named:
    with service.reading() as session:
        return resolve(session, viewer, text, hide_private=service.hide_private_identifiers)


def _tombstone(service: Service, named: Named, headers: dict[str, str]) -> Response[Any]:
    record = named.record
    assert record.withdrawn_at is not None, "only what was withdrawn has a tombstone"
    why = record.withdrawn_reason or ""
    told = tombstone(citation_of(named, service.support), why, record.withdrawn_at)
    return Response({"detail": f"This file was withdrawn: {why}", "tombstone": told}, status_code=410, headers=headers)


identifiers_router = Router("/", route_handlers=[resolve_with_slash, resolve_without_slash], tags=["Identifiers"])
