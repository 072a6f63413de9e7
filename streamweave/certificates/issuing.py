"""Issuing: a certificate is drawn up from what the catalog knows at this moment, and goes on record.

Files are read, judged and counted batch by batch: a folder of any size takes little memory, and no session stays open.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument, IssuedCertificate
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.file_versions import DONE
from streamweave.certificates.circumstances import circumstances_of
from streamweave.certificates.documents import (
    Certificate,
    Subject,
    canonical,
    digest_of_document,
    document_of,
    line_of,
)
from streamweave.certificates.evidence import Circumstances, FileEvidence
from streamweave.certificates.judgement import RULES, Judgement, Verdict, judge, required_places
from streamweave.certificates.questions import Scope, evidence_batches, evidence_page
from streamweave.certificates.rereading import Rereader
from streamweave.certificates.signing import Signer
from streamweave.certificates.statements import Json, statement_of
from streamweave.certificates.tally import Tally
from streamweave.errors import NothingKnown
from streamweave.pages import Page, PageRequest

LineListener = Callable[[bytes], object]


@dataclass(frozen=True)
class Issuer:
    """Who issues certificates: over which catalog, signed by whom, and by which clock."""

    sessions: Sessions
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
        on_line: LineListener = lambda line: None,
    ) -> Certificate:
        """Certify the file ``file_id`` at ``path``; or all that stands at and below ``path``, or on the instrument.

        With a ``rereader`` all that is safe so far is read again first. ``on_line`` hears the lines of the manifest,
        one for each file. Raises ``NothingKnown``.
        """
        subject = _subject(instrument, path, file_id, issued_to, rereader)
        with self.sessions() as session:
            circumstances = circumstances_of(session, instrument, self.now())
        tally, only = Tally(), None
        for batch in evidence_batches(self.sessions, Scope(instrument.id, path, file_id)):
            circumstances = replace(circumstances, now=self.now())  # sweeps re-read meanwhile
            for file in batch:
                file, judgement = _judged(file, circumstances, rereader)
                only = statement_of(file, judgement, circumstances)
                line = line_of(only)
                tally.add(file, judgement, line, is_archived=file.state in DONE)
                on_line(line)
        if not tally.total:
            raise NothingKnown(path)
        return self._put_on_record(subject, circumstances, tally, only if tally.total == 1 else None)

    def _put_on_record(
        self, subject: Subject, circumstances: Circumstances, tally: Tally, file: Json | None
    ) -> Certificate:
        certificate_id, issued_at = uuid7(), self.now()
        document = document_of(certificate_id, issued_at, subject, circumstances, tally, file)
        content = canonical(document)
        certificate = Certificate(
            document, content, digest_of_document(content), self.signer.sign(content) if self.signer else None
        )
        with self.sessions.begin() as session:
            session.add(
                IssuedCertificate(
                    id=certificate_id,
                    issued_at=issued_at,
                    issued_to=subject.issued_to,
                    instrument_id=subject.instrument_id,
                    file_id=subject.file_id,
                    path=subject.path,
                    rules=RULES,
                    verdict=certificate.verdict,
                    files=tally.total,
                    files_safe=tally.files[Verdict.SAFE],
                    sha256=certificate.sha256,
                    signed_by=certificate.signature.key_id if certificate.signature else None,
                )
            )
        return certificate


def statements_page(
    session: Session, instrument: Instrument, scope: Scope, request: PageRequest, now: datetime
) -> Page[Json]:
    """What would be certified of some files of a scope, in the order of their paths. Nothing goes on record."""
    circumstances = circumstances_of(session, instrument, now)
    page = evidence_page(session, scope, request)
    rows = [statement_of(file, judge(file, circumstances), circumstances) for file in page.rows]
    return Page(rows, page.next_cursor)


def _subject(
    instrument: Instrument, path: str | None, file_id: uuid.UUID | None, issued_to: str, rereader: Rereader | None
) -> Subject:
    return Subject(
        instrument_id=instrument.id,
        slug=instrument.slug,
        instrument=instrument.name,
        path=path,
        file_id=file_id,
        issued_to=issued_to,
        source_reread=rereader is not None and rereader.source,
        archive_reread=rereader is not None and rereader.archive,
    )


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
