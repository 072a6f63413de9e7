"""Issuing: a certificate is drawn up from what the catalog and the archive say at this moment, and goes on record.

Files are read, found in the archive, judged and counted batch by batch: a folder of any size takes little memory, and
no session stays open. The next batch is read while one is judged. Certificates stay on record permanently, so one that
still holds is returned rather than issued once more.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import Sessions, lock_certificates
from streamweave.catalog.tables import Instrument, IssuedCertificate
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.files import DONE
from streamweave.errors import NothingKnown
from streamweave.instruments.instruments import instrument_by_id
from streamweave.preservation.certificates.archive_check import Archive, OpenMarked, Rereader
from streamweave.preservation.certificates.document import (
    Certificate,
    CertifiedScope,
    Json,
    Signature,
    Signer,
    Tally,
    canonical,
    digest_of_document,
    document_of,
    line_of,
    state_of,
    statement_of,
)
from streamweave.preservation.certificates.evidence import (
    Circumstances,
    FileEvidence,
    Scope,
    all_locations,
    circumstances_of,
    evidence_batches,
    evidence_page,
)
from streamweave.preservation.certificates.judgement import Judgement, Verdict, judge, required_places

REUSED_WITHIN = timedelta(minutes=10)
"""For so long a certificate is returned to its receiver again, if the same would be certified."""

_NEWEST_FIRST = Order(IssuedCertificate.issued_at, IssuedCertificate.id, newest_first=True)

Batch = tuple[list[FileEvidence], Circumstances]


@dataclass(frozen=True)
class Issuer:
    """Issues certificates from this catalog and these storage locations, signed by ``signer``; ``now`` is in UTC."""

    sessions: Sessions
    open_marked: OpenMarked
    signer: Signer | None
    now: Callable[[], datetime]

    def issue(
        self,
        instrument: Instrument,
        *,
        issued_to: str,
        path: str | None = None,
        file_id: uuid.UUID | None = None,
        rereader: Rereader | None = None,
        manifest: BinaryIO | None = None,
        in_full: bool = True,
    ) -> Certificate:
        """Certify the file ``file_id`` at ``path``; or all that exists at and below ``path``, or on the instrument.

        With a ``rereader`` all that is safe so far is read again first. ``manifest`` is written with a line for each
        file. ``in_full`` is for admins: it names addresses on the server. What was certified for the same person within
        ``REUSED_WITHIN``, and still holds, is not certified anew: that certificate is returned. Raises
        ``NothingKnown``.
        """
        subject = CertifiedScope(
            instrument_id=instrument.id,
            slug=instrument.slug,
            instrument=instrument.name,
            path=path,
            file_id=file_id,
            issued_to=issued_to,
            source_reread=rereader is not None and rereader.source,
            archive_reread=rereader is not None and rereader.archive,
        )
        circumstances, archive = self._beginning(instrument, in_full=in_full)
        while True:
            draft = _Draft(manifest)
            for batch, found in self._batches(subject, circumstances, archive, ahead=rereader is None):
                draft.add(batch, found, rereader)
            if archive.is_still_there():
                break
            archive.begin_again()  # a location was lost since: what was found in it is found no longer
        if not draft.tally.total:
            raise NothingKnown(path)
        return self._certificate(subject, circumstances, draft, archive)

    def statements_page(self, instrument: Instrument, scope: Scope, request: PageRequest) -> Page[Json]:
        """What would be certified of some files of a scope, in the order of their paths. Nothing goes on record."""
        circumstances, archive = self._beginning(instrument, in_full=True)
        with self.sessions() as session:
            page = evidence_page(session, scope, request)
        files, circumstances = _found(page.rows, circumstances, archive, self.now())
        rows = [statement_of(file, judge(file, circumstances), circumstances) for file in files]
        return Page(rows, page.next_cursor)

    def _beginning(self, instrument: Instrument, *, in_full: bool) -> tuple[Circumstances, Archive]:
        with self.sessions() as session:
            circumstances = circumstances_of(session, instrument, self.now())
            locations = all_locations(session)
        return circumstances, Archive(locations, self.open_marked, in_full=in_full)

    def _batches(
        self, subject: CertifiedScope, circumstances: Circumstances, archive: Archive, *, ahead: bool
    ) -> Iterator[Batch]:
        """The files with what was found of their copies; read ``ahead`` unless judging them may change what follows."""
        batches = evidence_batches(self.sessions, Scope(subject.instrument_id, subject.path, subject.file_id))
        for files in _ahead(batches) if ahead else batches:
            yield _found(files, circumstances, archive, self.now())

    def _certificate(
        self, subject: CertifiedScope, circumstances: Circumstances, draft: "_Draft", archive: Archive
    ) -> Certificate:
        certificate_id, issued_at = uuid7(), self.now()
        document = document_of(
            certificate_id,
            issued_at,
            subject,
            circumstances,
            draft.tally,
            draft.only if draft.tally.total == 1 else None,
            list(archive.summary()),
        )
        content = canonical(document)
        signature = self.signer.sign(content) if self.signer else None
        certificate = Certificate(document, content, digest_of_document(content), signature)
        return put_on_record(self.sessions, certificate, self.signer)


class _Draft:
    """What a certificate says so far; ``only`` is what it says of the last file."""

    def __init__(self, manifest: BinaryIO | None) -> None:
        self.tally = Tally()
        self.only: Json | None = None
        self._manifest = manifest
        if manifest is not None:
            manifest.seek(0)
            manifest.truncate()

    def add(self, files: list[FileEvidence], circumstances: Circumstances, rereader: Rereader | None) -> None:
        lines = []
        for each in files:
            file, judgement = _judged(each, circumstances, rereader)
            self.only = statement_of(file, judgement, circumstances)
            self.tally.add(file, judgement, is_archived=file.state in DONE)
            lines.append(line_of(self.only))
        self.tally.manifest.update(b"".join(lines))
        if self._manifest is not None:
            self._manifest.writelines(lines)


def _found(files: list[FileEvidence], circumstances: Circumstances, archive: Archive, now: datetime) -> Batch:
    """These files, and the circumstances with what was found of their copies."""
    copies = archive.find_copies(files, {place.id for place in circumstances.destinations})
    return files, replace(circumstances, now=now, copies=copies, troubles=dict(archive.troubles))


def _ahead(batches: Iterator[list[FileEvidence]]) -> Iterator[list[FileEvidence]]:
    """The same, each batch read from PostgreSQL while the one before is judged.

    Copies are not checked in this thread: it would have to wait for Python's lock after each of them.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="evidence") as thread:
        following = thread.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = thread.submit(next, batches, None)
            yield batch


def _judged(
    file: FileEvidence, circumstances: Circumstances, rereader: Rereader | None
) -> tuple[FileEvidence, Judgement]:
    """Only what is safe so far is worth reading again."""
    judgement = judge(file, circumstances)
    if rereader is None or judgement.verdict != Verdict.SAFE:
        return file, judgement
    places = [place.id for place in required_places(file, circumstances)]
    file = rereader.reread(file, places)
    return file, judge(file, replace(circumstances, now=rereader.facility.now()))


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
    """The digest of its state covers the files, the receiver and the rules."""
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
