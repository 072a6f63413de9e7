"""Certificates of what may be deleted at the source: of one file for its viewers; of folders and instruments for
admins.

The body of a certificate is field by field what was signed, so times and ids are texts. Sizes are in bytes.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, get
from litestar.params import FromPath, FromQuery, QueryParameter

from streamweave.errors import NotFound
from streamweave.files.queries import file_by_id
from streamweave.instruments.instruments import instrument_by_id
from streamweave.preservation.certificates.document import ALGORITHM, Certificate
from streamweave.preservation.certificates.evidence import Scope
from streamweave.preservation.certificates.issue import certificates
from streamweave_api.auth import OPEN_TO_ALL, Viewer, admin_only
from streamweave_api.bodies import Outgoing
from streamweave_api.openapi.answers import error
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService

LONGEST_PATH = 4_000  # fits into an address even where each character takes twelve bytes of it
PathBelow = Annotated[
    str | None,
    QueryParameter(
        max_length=LONGEST_PATH, description="A file or folder, written like a source_path; everything without it"
    ),
]
NO_KEY = "Certificate key"


class RulesBody(Outgoing):
    """The rules that were applied; how old the scan and the last re-reading of a copy may be."""

    version: str
    look_within_seconds: int
    reread_within_seconds: int


class InstrumentNamed(Outgoing):
    """The instrument whose files it is about."""

    id: str
    slug: str
    name: str


class LookNamed(Outgoing):
    """The complete scan of the share that it is based on, and what it therefore does not cover."""

    scan: str
    began_at: str
    ended_at: str
    not_covered: str


class RereadNamed(Outgoing):
    """Whether source and archive were read again for it."""

    source: bool
    archive: bool


class FileCounts(Outgoing):
    """All files that are known there, by verdict."""

    known: int
    safe: int
    not_safe: int
    gone: int
    safe_bytes: int
    gone_before_archived: int


class FileNamed(Outgoing):
    """A file that must stay, and what exactly was found."""

    path: str
    detail: str


class ReasonBody(Outgoing):
    """Why files must stay: how many, and the first of them. ``sentence`` continues "the file …"."""

    reason: str
    sentence: str
    files: int
    first: list[FileNamed]


class Finding(Outgoing):
    """One reason why a file must stay, and what exactly was found."""

    reason: str
    detail: str


class LinkBody(Outgoing):
    """One link of the proof chain."""

    at: str
    event: str
    what: str


class CopySeen(Outgoing):
    """A copy that was found at its place in a storage location: its size there, and when it was last written.

    A copy carries the time at which the instrument wrote the file.
    """

    location: str
    path: str
    size_bytes: int
    mtime: str


class LocationSeen(Outgoing):
    """A storage location that was asked for copies: how many were found, or why it can't be relied on now."""

    name: str
    copies: int
    trouble: str | None


class ArchiveSeen(Outgoing):
    """When the copies were asked for at their places. Each location's mark was compared before and after."""

    began_at: str
    ended_at: str
    locations: list[LocationSeen]


class FileStatementBody(Outgoing):
    """What is certified of one file: ``safe``, ``not_safe`` with every reason, or ``gone``; and the proof chain."""

    path: str
    ark: str
    file_id: str
    verdict: str
    reasons: list[Finding]
    version: int
    size_bytes: int
    source_mtime: str
    xxhash: str | None
    sha256: str | None
    copies: list[CopySeen]
    chain: list[LinkBody]
    notes: list[str]


class CertificateDocument(Outgoing):
    """What is certified. ``file`` is there when it speaks of one file only.

    ``manifest_sha256`` is the SHA-256 of what is certified of each file, as canonical JSON, a line each, by path.
    """

    type: str
    rules: RulesBody
    id: str
    issued_at: str
    issued_to: str
    instrument: InstrumentNamed
    path: str | None
    file_id: str | None
    verdict: str
    statement: str
    as_of: LookNamed | None
    reread_now: RereadNamed
    destinations: list[str]
    files: FileCounts
    reasons: list[ReasonBody]
    folders_not_listed: list[str]
    folders_not_listed_because: dict[str, str]
    archive_seen: ArchiveSeen
    file: FileStatementBody | None
    manifest_sha256: str


class SignatureBody(Outgoing):
    """A detached signature (RFC 8032) over the canonical JSON of the certificate, in base64."""

    algorithm: str
    key_id: str
    value: str


class CertificateBody(Outgoing):
    """A certificate, the SHA-256 of its canonical JSON (keys in order, no blanks, UTF-8), and who signed that."""

    certificate: CertificateDocument
    sha256: str
    signature: SignatureBody | None


class IssuedCertificateBody(Outgoing):
    """A certificate that was issued: to whom, when, and what it says."""

    id: UUID
    issued_at: datetime
    issued_to: str
    instrument_id: UUID
    file_id: UUID | None
    path: str | None
    rules: str
    verdict: str
    files: int
    files_safe: int
    sha256: str
    signed_by: str | None


class CertificateKeyBody(Outgoing):
    """The public key that certificates are signed with."""

    algorithm: str
    key_id: str
    public_key_pem: str


@get(
    "/files/{file_id:uuid}/certificate",
    sync_to_thread=True,
    summary="Certify whether a file may be deleted at the source",
)
def certify_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> CertificateBody:
    """Safe to delete at the source with the proof chain behind it, or every reason why not. It is kept on record."""
    with service.reading() as session:
        record = file_by_id(session, viewer, file_id).file
        instrument = record.instrument
    return _body(
        service.certificate_issuer.issue(
            instrument, issued_to=viewer.email, path=record.source_path, file_id=file_id, in_full=viewer.is_admin
        )
    )


@get(
    "/instruments/{instrument_id:uuid}/certificate",
    sync_to_thread=True,
    guards=[admin_only],
    summary="Certify whether a folder may be deleted at the source",
)
def certify_instrument(
    service: TheService, viewer: Viewer, instrument_id: FromPath[UUID], path: PathBelow = None
) -> CertificateBody:
    """The same for all files at and below a path, counted by reason. Where no file was ever seen the answer is 404."""
    instrument = service.read(instrument_by_id, instrument_id)
    return _body(service.certificate_issuer.issue(instrument, issued_to=viewer.email, path=_path(path)))


@get(
    "/instruments/{instrument_id:uuid}/certificate/files",
    sync_to_thread=True,
    guards=[admin_only],
    summary="List the statements on each file of a folder",
)
def list_statements(
    service: TheService, page: PageAsked, instrument_id: FromPath[UUID], path: PathBelow = None
) -> Response[list[FileStatementBody]]:
    """What would be certified of each file at and below a path, in the order of paths. Nothing is issued."""
    instrument = service.read(instrument_by_id, instrument_id)
    statements = service.certificate_issuer.statements_page(instrument, Scope(instrument.id, _path(path)), page)
    return page.response(statements, lambda statement: msgspec.convert(statement, FileStatementBody))


@get("/certificates", sync_to_thread=True, guards=[admin_only], summary="List issued certificates")
def list_certificates(
    service: TheService, page: PageAsked, instrument_id: FromQuery[UUID | None] = None
) -> Response[list[IssuedCertificateBody]]:
    """Issued certificates, newest first. No entry can be changed or removed."""
    return page.response(service.read(certificates, page, instrument_id=instrument_id), IssuedCertificateBody)


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
