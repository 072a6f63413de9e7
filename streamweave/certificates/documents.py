"""A certificate as a document: canonical JSON, with its digest and, if the facility has a key, its signature. Pure.

Canonical is: UTF-8, keys in order, no blanks between tokens, nothing escaped that need not be, no fractions. The lines
of a manifest end with a newline, a certificate has none. Who has the same content gets the same bytes.
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from streamweave.certificates.evidence import Circumstances
from streamweave.certificates.judgement import RULES, Verdict
from streamweave.certificates.reasons import LOOK_WITHIN, REREAD_WITHIN
from streamweave.certificates.signing import Signature
from streamweave.certificates.statements import SEEN_UNCHANGED, Json, timestamp
from streamweave.certificates.tally import Tally

_ENCODER = msgspec.json.Encoder(order="sorted")

TYPE = "streamweave-deletion-certificate"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a certificate is about, and who asked for it."""

    instrument_id: uuid.UUID
    slug: str
    instrument: str
    path: str | None
    file_id: uuid.UUID | None
    issued_to: str
    source_reread: bool = False
    archive_reread: bool = False


@dataclass(frozen=True, slots=True)
class Certificate:
    """An issued certificate. ``content`` is what ``sha256`` and ``signature`` are about."""

    document: Json
    content: bytes
    sha256: str
    signature: Signature | None

    def as_json(self) -> Json:
        """The certificate with what proves that it is ours."""
        signature = self.signature.as_json() if self.signature else None
        return {"certificate": self.document, "sha256": self.sha256, "signature": signature}

    @property
    def verdict(self) -> Verdict:
        """The answer."""
        return Verdict(self.document["verdict"])


def canonical(document: Json) -> bytes:
    """The bytes of a document."""
    return _ENCODER.encode(document)


def line_of(statement: Json) -> bytes:
    """A file's line of the manifest."""
    return canonical(statement) + b"\n"


def verdict_of(tally: Tally, unlisted: tuple[str, ...], *, names_all_unlisted: bool) -> Verdict:
    """The answer for all files together. It is safe only if there is a file that is, and nothing is in doubt."""
    if tally.files[Verdict.NOT_SAFE] or unlisted or not names_all_unlisted:
        return Verdict.NOT_SAFE
    return Verdict.SAFE if tally.files[Verdict.SAFE] else Verdict.GONE


def document_of(
    certificate_id: uuid.UUID,
    issued_at: datetime,
    subject: Subject,
    circumstances: Circumstances,
    tally: Tally,
    file: Json | None,
    locations: Sequence[Json],
) -> Json:
    """The certificate. ``file`` is what is certified of the only file, if there is one only.

    ``locations`` are those that were asked for copies, since ``circumstances.now``.
    """
    look = circumstances.look
    unlisted = look.unlisted_within(subject.path) if look else ()
    verdict = verdict_of(tally, unlisted, names_all_unlisted=look is None or look.names_all_unlisted)
    return {
        "type": TYPE,
        "rules": {
            "version": RULES,
            "look_within_seconds": int(LOOK_WITHIN.total_seconds()),
            "reread_within_seconds": int(REREAD_WITHIN.total_seconds()),
        },
        "id": str(certificate_id),
        "issued_at": timestamp(issued_at),
        "issued_to": subject.issued_to,
        "instrument": {"id": str(subject.instrument_id), "slug": subject.slug, "name": subject.instrument},
        "path": subject.path,
        "file_id": None if subject.file_id is None else str(subject.file_id),
        "verdict": str(verdict),
        "statement": _sentence(verdict, subject, tally),
        "as_of": _as_of(circumstances),
        "reread_now": {"source": subject.source_reread, "archive": subject.archive_reread},
        "destinations": [place.name for place in circumstances.destinations],
        "files": tally.counts(),
        "reasons": tally.by_reason(),
        "folders_not_listed": list(unlisted),
        "folders_not_listed_because": {folder: look.unlisted[folder] for folder in unlisted} if look else {},
        "archive_seen": {
            "began_at": timestamp(circumstances.now),
            "ended_at": timestamp(issued_at),
            "locations": list(locations),
        },
        "file": file,
        "manifest_sha256": tally.manifest.hexdigest(),
    }


def digest_of_document(content: bytes) -> str:
    """The SHA-256 that names a certificate."""
    return hashlib.sha256(content).hexdigest()


def state_of(document: Json) -> str:
    """The SHA-256 of what a certificate says, whichever certificate it is and whenever it was drawn up.

    Of a single file also by whichever look it was confirmed: looks follow each other every few seconds. A folder's
    certificate is bound to its manifest, which names the look for each file.
    """
    said = {name: value for name, value in document.items() if name not in {"id", "issued_at"}}
    said["archive_seen"] = document["archive_seen"]["locations"]
    if document["file_id"] is not None and document["file"] is not None:
        chain = [link for link in document["file"]["chain"] if link["event"] != SEEN_UNCHANGED]
        said |= {"as_of": None, "manifest_sha256": None, "file": document["file"] | {"chain": chain}}
    return digest_of_document(canonical(said))


def _as_of(circumstances: Circumstances) -> Json | None:
    look = circumstances.look
    if look is None:
        return None
    return {
        "scan": str(look.scan_id),
        "began_at": timestamp(look.covers_since),
        "ended_at": timestamp(look.ended_at),
        "not_covered": f"whatever was written after the look began at {timestamp(look.covers_since)}",
    }


def _sentence(verdict: Verdict, subject: Subject, tally: Tally) -> str:
    what = f"{subject.path or 'All that is known'} on {subject.instrument}"
    safe, must_stay, gone = (tally.files[each] for each in (Verdict.SAFE, Verdict.NOT_SAFE, Verdict.GONE))
    match verdict:
        case Verdict.SAFE:
            told = f"{what} is safe to delete at the source: {_files(safe)}, archived, proven and unchanged since"
            return f"{told}; {gone} more are already gone from it." if gone else f"{told}."
        case Verdict.GONE:
            return f"{what} is already gone from the source ({_files(gone)}): there is nothing to delete."
        case _ if must_stay:
            return f"{what} is NOT safe to delete: {must_stay:,} of {_files(tally.total)} must stay."
        case _:
            return f"{what} is NOT safe to delete: a part of it could not be listed, so files may stand there unseen."


def _files(number: int) -> str:
    return f"{number:,} file{'' if number == 1 else 's'}"
