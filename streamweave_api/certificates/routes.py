"""Certificates: of one file for everyone who may see it; of folders and instruments for admins."""

from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, get
from litestar.params import FromPath, FromQuery, QueryParameter

from streamweave.errors import NotFound
from streamweave.files.queries import file_by_id
from streamweave.instruments.instruments import instrument_by_id
from streamweave.preservation.certificates.document import ALGORITHM, Certificate
from streamweave.preservation.certificates.issue import certificates
from streamweave.preservation.certificates.queries import Scope
from streamweave_api.auth import OPEN_TO_ALL, Viewer, admin_only
from streamweave_api.bodies import shown
from streamweave_api.certificates.schemas import (
    CertificateBody,
    CertificateKeyBody,
    FileStatementBody,
    IssuedCertificateBody,
)
from streamweave_api.openapi.errors import error
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService

LONGEST_PATH = 4_000  # fits into an address even where each character takes twelve bytes of it

PathBelow = Annotated[
    str | None,
    QueryParameter(
        max_length=LONGEST_PATH, description="A file or folder, written like a source_path; everything without it"
    ),
]

issued_body = partial(shown, body=IssuedCertificateBody)
NO_KEY = "Certificate key"


@get("/files/{file_id:uuid}/certificate", sync_to_thread=True, summary="May this file be deleted at the source?")
def certify_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> CertificateBody:
    """Safe to delete at the source with the proof chain behind it, or every reason why not. It is kept on record."""
    with service.reading() as session:
        record = file_by_id(session, viewer, file_id).file
        instrument = record.instrument
    return _body(
        service.certificate_issuer.issue(
            instrument,
            issued_to=viewer.email,
            path=record.source_path,
            file_id=file_id,
            in_full=viewer.is_admin,
        )
    )


@get(
    "/instruments/{instrument_id:uuid}/certificate",
    sync_to_thread=True,
    guards=[admin_only],
    summary="May a folder be deleted at the source?",
)
def certify_instrument(
    service: TheService, viewer: Viewer, instrument_id: FromPath[UUID], path: PathBelow = None
) -> CertificateBody:
    """The same for all files at and below a path, counted by reason. Where no file was ever seen the answer is 404."""
    with service.reading() as session:
        instrument = instrument_by_id(session, instrument_id)
    return _body(service.certificate_issuer.issue(instrument, issued_to=viewer.email, path=_path(path)))


@get(
    "/instruments/{instrument_id:uuid}/certificate/files",
    sync_to_thread=True,
    guards=[admin_only],
    summary="List what holds for each file of a folder",
)
def list_statements(
    service: TheService, page: PageAsked, request: Asked, instrument_id: FromPath[UUID], path: PathBelow = None
) -> Response[list[FileStatementBody]]:
    """What would be certified of each file at and below a path, in the order of paths. Nothing is issued."""
    with service.reading() as session:
        instrument = instrument_by_id(session, instrument_id)
    statements = service.certificate_issuer.statements_page(instrument, Scope(instrument.id, _path(path)), page)
    return listed(request, statements, lambda statement: msgspec.convert(statement, FileStatementBody))


@get("/certificates", sync_to_thread=True, guards=[admin_only], summary="List issued certificates")
def list_certificates(
    service: TheService, page: PageAsked, request: Asked, instrument_id: FromQuery[UUID | None] = None
) -> Response[list[IssuedCertificateBody]]:
    """Who was told what, newest first. Nobody can change or remove an entry."""
    with service.reading() as session:
        return listed(request, certificates(session, page, instrument_id=instrument_id), issued_body)


@get(
    "/certificates/key",
    sync_to_thread=False,
    opt=OPEN_TO_ALL,
    responses={404: error(404, f"{NO_KEY} not found")},
    summary="Show the public key of certificates",
)
def show_key(service: TheService) -> CertificateKeyBody:
    """What anybody needs to check a certificate's signature."""
    signer = service.certificate_issuer.signer
    if signer is None:
        raise NotFound(NO_KEY)
    return CertificateKeyBody(algorithm=ALGORITHM, key_id=signer.key_id, public_key_pem=signer.public_key_pem)


def _body(certificate: Certificate) -> CertificateBody:
    return msgspec.convert(certificate.as_json(), CertificateBody)


def _path(path: str | None) -> str | None:
    return (path or "").rstrip("/") or None


certificates_router = Router(
    "/api",
    route_handlers=[certify_file, certify_instrument, list_statements, list_certificates, show_key],
    tags=["Certificates"],
)
