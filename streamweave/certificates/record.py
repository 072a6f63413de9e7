"""The certificates on record: each stays for ever, so one that still holds is returned rather than issued once more."""

import json
import uuid
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import Sessions, lock_certificates
from streamweave.catalog.tables import IssuedCertificate
from streamweave.certificates.documents import Certificate, state_of
from streamweave.certificates.signing import Signature, Signer
from streamweave.instruments.instruments import instrument_by_id

REUSED_WITHIN = timedelta(minutes=10)
"""For so long a certificate is returned to the person whom it was issued to, if the same would be certified again."""

_NEWEST_FIRST = Order(IssuedCertificate.issued_at, IssuedCertificate.id, newest_first=True)


def put_on_record(sessions: Sessions, certificate: Certificate, signer: Signer | None) -> Certificate:
    """The certificate, now on record; or the one on record that says the same to the same person."""
    state = state_of(certificate.document)
    row = _row(certificate, state)
    with sessions.begin() as session:
        lock_certificates(session, state)
        recorded = _same_on_record(session, row)
        if recorded is None:
            session.add(row)
            return certificate
    content = bytes(recorded.content or b"")
    signature: Signature | None = signer.sign(content) if signer else None
    return Certificate(json.loads(content), content, recorded.sha256, signature)


def certificates(
    session: Session, request: PageRequest, *, instrument_id: uuid.UUID | None = None
) -> Page[IssuedCertificate]:
    """The certificates that were issued, newest first. Raises ``NotFound`` for an unknown instrument."""
    query = select(IssuedCertificate)
    if instrument_id is not None:
        instrument_by_id(session, instrument_id)
        query = query.where(IssuedCertificate.instrument_id == instrument_id)
    return page_of(session, query, _NEWEST_FIRST, request)


def _same_on_record(session: Session, row: IssuedCertificate) -> IssuedCertificate | None:
    """Its state covers whose files it speaks of, to whom, and by which rules."""
    recorded = select(IssuedCertificate).where(
        IssuedCertificate.instrument_id == row.instrument_id,
        IssuedCertificate.issued_at.between(row.issued_at - REUSED_WITHIN, row.issued_at),
        IssuedCertificate.state_sha256 == row.state_sha256,
        IssuedCertificate.signed_by.is_not_distinct_from(row.signed_by),
        IssuedCertificate.content.is_not(None),
    )
    return session.scalars(recorded.order_by(IssuedCertificate.issued_at.desc()).limit(1)).first()


def _row(certificate: Certificate, state_sha256: str) -> IssuedCertificate:
    document = certificate.document
    return IssuedCertificate(
        id=uuid.UUID(document["id"]),
        issued_at=datetime.fromisoformat(document["issued_at"]),
        issued_to=document["issued_to"],
        instrument_id=uuid.UUID(document["instrument"]["id"]),
        file_id=None if document["file_id"] is None else uuid.UUID(document["file_id"]),
        path=document["path"],
        rules=document["rules"]["version"],
        verdict=certificate.verdict,
        files=document["files"]["known"],
        files_safe=document["files"]["safe"],
        sha256=certificate.sha256,
        signed_by=certificate.signature.key_id if certificate.signature else None,
        state_sha256=state_sha256,
        content=certificate.content,
    )
