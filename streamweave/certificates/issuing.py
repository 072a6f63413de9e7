"""Issuing: a certificate is drawn up from what the catalog and the archive say at this moment, and goes on record.

Files are read, found in the archive, judged and counted batch by batch: a folder of any size takes little memory, and
no session stays open. The next batch is read while one is judged.
"""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from streamweave.catalog.pages import Page, PageRequest
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.files import DONE
from streamweave.certificates.archive import Archive, OpenMarked
from streamweave.certificates.circumstances import all_locations, circumstances_of
from streamweave.certificates.documents import (
    Certificate,
    Subject,
    canonical,
    digest_of_document,
    document_of,
    line_of,
)
from streamweave.certificates.evidence import Circumstances, FileEvidence
from streamweave.certificates.judgement import Judgement, Verdict, judge, required_places
from streamweave.certificates.questions import Scope, evidence_batches, evidence_page
from streamweave.certificates.record import put_on_record
from streamweave.certificates.rereading import Rereader
from streamweave.certificates.signing import Signer
from streamweave.certificates.statements import Json, statement_of
from streamweave.certificates.tally import Tally
from streamweave.errors import NothingKnown
from streamweave.garbage import seldom_sought

Batch = tuple[list[FileEvidence], Circumstances]


@dataclass(frozen=True)
class Issuer:
    """Who issues certificates: over which catalog and storage locations, signed by whom, and by which clock."""

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
        file. ``in_full`` is for admins: addresses on the server are said. What was certified for the same person a
        short while ago, and still holds, is not certified anew: that certificate is returned. Raises ``NothingKnown``.
        """
        subject = _subject(instrument, path, file_id, issued_to, rereader)
        circumstances, archive = self._beginning(instrument, in_full=in_full)
        while True:
            draft = _Draft(manifest)
            with seldom_sought():
                for batch, found in self._batches(subject, circumstances, archive, ahead=rereader is None):
                    draft.add(batch, found, rereader)
            if archive.is_still_there():
                break
            archive.begin_again()  # a location was lost meanwhile: what was found in it is found no longer
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
        self, subject: Subject, circumstances: Circumstances, archive: Archive, *, ahead: bool
    ) -> Iterator[Batch]:
        """The files with what was found of their copies; read ``ahead`` unless judging them may change what follows."""
        batches = evidence_batches(self.sessions, Scope(subject.instrument_id, subject.path, subject.file_id))
        for files in _ahead(batches) if ahead else batches:
            yield _found(files, circumstances, archive, self.now())

    def _certificate(
        self, subject: Subject, circumstances: Circumstances, draft: "_Draft", archive: Archive
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
        """Judge these files too."""
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
    """The same, each one asked of PostgreSQL while the one before is worked on.

    Copies are not asked for in this thread: it would have to wait for Python's lock after each of them.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="evidence") as thread:
        following = thread.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = thread.submit(next, batches, None)
            yield batch


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
