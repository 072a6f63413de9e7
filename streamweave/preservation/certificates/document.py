"""A certificate as a document: canonical JSON, with its digest and, if the facility has a key, its signature. Pure.

Canonical is: UTF-8, keys in order, no blanks between tokens, nothing escaped that need not be, no fractions. The lines
of a manifest end with a newline, a certificate has none. The same content gives the same bytes. A statement is what is
certified of one file: the verdict, every reason, and the proof chain; a tally is what the files of a scope come to.
Signatures are Ed25519 (RFC 8032), so that anyone who has our public key can check them without asking us. ``lines_of``
is the certificate as plain text, in which names from a share are shown escaped.
"""

import base64
import hashlib
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from streamweave.catalog.tables.files import DONE
from streamweave.errors import StartError
from streamweave.preservation.certificates.evidence import Circumstances, CopyEvidence, FileEvidence, Reread
from streamweave.preservation.certificates.judgement import (
    REREAD_WITHIN,
    RULES,
    SCAN_WITHIN,
    Judgement,
    Reason,
    Verdict,
)
from streamweave.printable import counted, printable
from streamweave.storage.base import CopyStat
from streamweave.storage.file_io import time_of

Json = dict[str, Any]
SEEN_UNCHANGED = "seen_unchanged"
"""The event that a complete scan adds to a file's chain."""
Link = tuple[datetime | None, str, str]
"""One link of the proof chain: when, what in a word, and what in a sentence that names all that was seen.

Without a time it did not happen. There are a dozen for each file: a class for them took a tenth of all the time.
"""
NAMED_FILES = 20
"""So many files are named for each reason; all are counted."""
SEED_BYTES = 32
ALGORITHM = "Ed25519"
VARIABLE = "STREAMWEAVE_CERTIFICATE_KEY"
_ENCODER = msgspec.json.Encoder(order="sorted")
TYPE = "streamweave-deletion-certificate"


@dataclass(frozen=True, slots=True)
class Signature:
    """A detached signature over the bytes of a canonical certificate. ``key_id`` says whose."""

    key_id: str
    value: bytes

    def as_json(self) -> dict[str, str]:
        """As JSON has it; the value in base64."""
        return {"algorithm": ALGORITHM, "key_id": self.key_id, "value": base64.b64encode(self.value).decode()}


class Signer:
    """The facility's key. ``seed`` is 32 bytes in hexadecimal; raises ``StartError`` for anything else."""

    def __init__(self, seed: str) -> None:
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        except ValueError as error:
            raise StartError(f"{VARIABLE} must be {SEED_BYTES} random bytes in hexadecimal") from error
        public = self._key.public_key()
        self.public_key_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.key_id = hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]

    def sign(self, content: bytes) -> Signature:
        return Signature(self.key_id, self._key.sign(content))


def signer_of(seed: str) -> Signer | None:
    """The signer, if there is a key. Raises ``StartError``."""
    return Signer(seed) if seed else None


@dataclass(frozen=True, slots=True)
class CertifiedScope:
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
        return Verdict(self.document["verdict"])


def canonical(document: Json) -> bytes:
    return _ENCODER.encode(document)


def line_of(statement: Json) -> bytes:
    return canonical(statement) + b"\n"


def verdict_of(tally: "Tally", unlisted: tuple[str, ...], *, names_all_unlisted: bool) -> Verdict:
    """The answer for all files together. It is safe only if one file is, and none is not, or may be unseen."""
    if tally.files[Verdict.NOT_SAFE] or unlisted or not names_all_unlisted:
        return Verdict.NOT_SAFE
    return Verdict.SAFE if tally.files[Verdict.SAFE] else Verdict.GONE


def document_of(
    certificate_id: uuid.UUID,
    issued_at: datetime,
    subject: CertifiedScope,
    circumstances: Circumstances,
    tally: "Tally",
    file: Json | None,
    locations: Sequence[Json],
) -> Json:
    """The certificate. ``file`` is what is certified of the only file, if there is one only.

    ``locations`` are those that were asked for copies, since ``circumstances.now``.
    """
    scan = circumstances.last_scan
    unlisted = scan.unlisted_within(subject.path) if scan else ()
    verdict = verdict_of(tally, unlisted, names_all_unlisted=scan is None or scan.names_all_unlisted)
    return {
        "type": TYPE,
        "rules": {
            "version": RULES,
            "look_within_seconds": int(SCAN_WITHIN.total_seconds()),
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
        "folders_not_listed_because": {folder: scan.unlisted[folder] for folder in unlisted} if scan else {},
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
    """The SHA-256 of what a certificate says, without its id and time.

    Of a single file also without the scan that confirmed it: scans follow each other every few seconds. A folder's
    certificate is bound to its manifest, which names the scan for each file.
    """
    said = {name: value for name, value in document.items() if name not in {"id", "issued_at"}}
    said["archive_seen"] = document["archive_seen"]["locations"]
    if document["file_id"] is not None and document["file"] is not None:
        chain = [link for link in document["file"]["chain"] if link["event"] != SEEN_UNCHANGED]
        said |= {"as_of": None, "manifest_sha256": None, "file": document["file"] | {"chain": chain}}
    return digest_of_document(canonical(said))


def _as_of(circumstances: Circumstances) -> Json | None:
    scan = circumstances.last_scan
    if scan is None:
        return None
    began_at = timestamp(scan.covers_since)
    return {
        "scan": str(scan.scan_id),
        "began_at": began_at,
        "ended_at": timestamp(scan.ended_at),
        "not_covered": f"whatever was written after the scan began at {began_at}",
    }


def _sentence(verdict: Verdict, subject: CertifiedScope, tally: "Tally") -> str:
    what = f"{subject.path or 'All that is known'} on {subject.instrument}"
    safe, must_stay, gone = (tally.files[each] for each in (Verdict.SAFE, Verdict.NOT_SAFE, Verdict.GONE))
    match verdict:
        case Verdict.SAFE:
            answer = f"{what} is safe to delete at the source: {_files(safe)}, archived, proven and unchanged since"
            more = "is" if gone == 1 else "are"
            return f"{answer}; {gone} more {more} already gone from it." if gone else f"{answer}."
        case Verdict.GONE:
            return f"{what} is already gone from the source ({_files(gone)}): there is nothing to delete."
        case _ if must_stay:
            return f"{what} is NOT safe to delete: {_must_stay(must_stay, tally.total)}."
        case _:
            return f"{what} is NOT safe to delete: a part of it could not be listed, so it may hold unseen files."


def _must_stay(number: int, total: int) -> str:
    return "1 file must stay" if total == 1 else f"{number:,} of {_files(total)} must stay"


def _files(number: int) -> str:
    return f"{number:,} file{'' if number == 1 else 's'}"


def statement_of(file: FileEvidence, judgement: Judgement, circumstances: Circumstances) -> Json:
    links = sorted([link for link in _chain(file, judgement, circumstances) if link[0]], key=itemgetter(0))
    return {
        "path": file.source_path,
        "ark": file.persistent_id,
        "file_id": str(file.file_id),
        "verdict": str(judgement.verdict),
        "reasons": [{"reason": str(each.reason), "detail": each.detail} for each in judgement.findings],
        "version": file.number,
        "size_bytes": file.size_bytes,
        "source_mtime": timestamp(file.source_mtime),
        "xxhash": file.xxhash,
        "sha256": file.sha256,
        "copies": list(_copies(file, circumstances)),
        "chain": [{"at": timestamp(at), "event": event, "what": what} for at, event, what in links],
        "notes": list(_notes(file)),
    }


def _copies(file: FileEvidence, circumstances: Circumstances) -> Iterator[Json]:
    """The copies that were found, without a time: the same state gives the same text."""
    for copy in file.copies:
        found = circumstances.copies.get(copy.transfer_id)
        if isinstance(found, CopyStat):
            yield {
                "location": copy.place.name,
                "path": copy.path,
                "size_bytes": found.size_bytes,
                "mtime": timestamp(time_of(found.mtime_ns)),
            }


@lru_cache(maxsize=4096)
def timestamp(time: datetime | None) -> str | None:
    """A time in UTC as ISO 8601 has it, to the microsecond.

    Files are archived in batches and share most of their times; writing each anew took a third of a certificate's time.
    """
    return None if time is None else time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _chain(file: FileEvidence, judgement: Judgement, circumstances: Circumstances) -> list[Link]:
    identical = f"re-read at the source, and identical: SHA-256 {file.sha256}"
    settled = f"{counted(file.size_bytes, 'byte')} of {timestamp(file.source_mtime)}, unchanged from here on"
    chain: list[Link] = [
        (file.seen_at, "seen", f"version {file.number} was first seen"),
        (file.quiet_since, "quiet", settled),
        (file.observed_at, "observed", "seen unchanged, before it was decided on"),
    ]
    for copy in file.copies:
        chain += _links_of_copy(file, copy)
    if file.state in DONE:
        done = file.reason or "archived in every storage location it was meant for"
        chain.append((file.state_since, str(file.state), done))
    if file.source_reread_at != file.source_verified_at:
        unclear = "was to be read again at the source, and it is not known whether it is identical"
        chain.append((file.source_reread_at, "source_unclear", unclear))
    chain.append((file.source_verified_at, "source_verified", identical))
    chain.append((file.back_at, "back", "found again at the source after it had been gone"))
    scan = circumstances.last_scan
    if scan and _was_seen(file, judgement):
        chain.append((scan.ended_at, SEEN_UNCHANGED, _confirmation(scan.covers_since, scan.scan_id)))
    if file.reread:
        chain.append((file.reread.at, "source_reread", _reread("read again at the source", file.reread)))
    chain.append((file.gone_at, "gone", "a complete scan no longer found it at the source"))
    return chain


def _links_of_copy(file: FileEvidence, copy: CopyEvidence) -> list[Link]:
    where = f"{copy.place.name}: {copy.path}"
    taken_on = f"taken on by harvest run {copy.run_id}, for {copy.place.name}"
    if copy.dagster_run_id:
        taken_on += f" (Dagster run {copy.dagster_run_id})"
    if copy.run_id is None:
        taken_on = f"taken from the journal of {copy.place.name}; its harvest run is not in this catalog"
    proof = f"{counted(copy.size_bytes or 0, 'byte')} read with XXH64 {copy.xxhash_read}, SHA-256 {file.sha256}"
    read_back = f"read back from {where} with XXH64 {copy.xxhash_read_back}, and catalogued"
    if copy.xxhash_read_back is None:
        read_back = f"so says the journal of another storage location, which came with the copy at {where}"
    links: list[Link] = [
        (copy.planned_at, "decided", f"to be copied to {copy.place.name} (transfer {copy.transfer_id})"),
        (copy.claimed_at, "copying", taken_on),
        (copy.catalogued_at, "proven" if copy.xxhash_read_back else "noted", f"{proof}; {read_back}"),
    ]
    if copy.last_reread_at != copy.catalogued_at:
        found = f"damaged: {copy.damage}" if copy.damage else f"SHA-256 {file.sha256}"
        links.append((copy.last_reread_at, "reread", f"re-read from {where}: {found}"))
    return links


def _was_seen(file: FileEvidence, judgement: Judgement) -> bool:
    if not judgement.findings:
        return file.state in DONE and judgement.verdict != Verdict.GONE
    unconfirmed = {Reason.NOT_SEEN_SINCE, Reason.FOLDER_NOT_LISTED, Reason.OTHER_ADDRESS}
    return file.state in DONE and unconfirmed.isdisjoint(finding.reason for finding in judgement.findings)


@lru_cache(maxsize=8)
def _confirmation(covers_since: datetime, scan_id: uuid.UUID) -> str:
    """The same for all files that a scan has confirmed."""
    return f"size and mtime as archived, by the complete scan that began {timestamp(covers_since)} (scan {scan_id})"


def _reread(what: str, reread: Reread) -> str:
    if reread.error:
        return f"{what}: {reread.error}"
    return f"{what}: {counted(reread.size_bytes, 'byte')}, SHA-256 {reread.sha256}"


def _notes(file: FileEvidence) -> Iterator[str]:
    if file.gone_at and file.state not in DONE:
        yield f"it was gone before it was archived ({file.state}: {file.reason})"
    elif file.gone_at and file.reason:
        yield file.reason
    if file.enrichment_error:
        yield f"its metadata are incomplete, which concerns no bytes: {file.enrichment_error}"
    if file.clock_skew_seconds is not None:
        skew = f"{file.clock_skew_seconds:.0f} s"
        yield f"its mtime lies {skew} outside of what our clock allows; only that it is the same counts here"


@dataclass(slots=True)
class Tally:
    """Counts by verdict and by reason. ``manifest`` takes in what is certified of each file, line by line.

    It is fed in large pieces: hashing releases Python's lock each time, and each time waits for it.
    """

    files: Counter[Verdict] = field(default_factory=Counter)
    sizes: Counter[Verdict] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    first: dict[Reason, list[dict[str, str]]] = field(default_factory=dict)
    gone_unarchived: int = 0
    manifest: Any = field(default_factory=hashlib.sha256)

    def add(self, file: FileEvidence, judgement: Judgement, *, is_archived: bool) -> None:
        """One more file. Its line of the manifest is added apart."""
        self.files[judgement.verdict] += 1
        self.sizes[judgement.verdict] += file.size_bytes
        self.gone_unarchived += judgement.verdict == Verdict.GONE and not is_archived
        for reason in {finding.reason for finding in judgement.findings}:
            self.reasons[reason] += 1
        for finding in judgement.findings:
            named = self.first.setdefault(finding.reason, [])
            if len(named) < NAMED_FILES:
                named.append({"path": file.source_path, "detail": finding.detail})

    @property
    def total(self) -> int:
        return sum(self.files.values())

    def counts(self) -> dict[str, int]:
        return {
            "known": self.total,
            **{str(verdict): self.files[verdict] for verdict in Verdict},
            "safe_bytes": self.sizes[Verdict.SAFE],
            "gone_before_archived": self.gone_unarchived,
        }

    def by_reason(self) -> list[dict[str, Any]]:
        """Why files must stay, in the order in which people should read it."""
        return [
            {
                "reason": str(reason),
                "sentence": reason.sentence,
                "files": self.reasons[reason],
                "first": self.first[reason],
            }
            for reason in Reason
            if self.reasons[reason]
        ]


def lines_of(certificate: Certificate) -> Iterator[str]:
    """The answer first, then why, then as of when, then the proof, then what names the certificate itself."""
    return map(printable, _lines(certificate))


def _lines(certificate: Certificate) -> Iterator[str]:
    document = certificate.document
    yield document["statement"]
    yield from _reasons(document)
    for folder in document["folders_not_listed"]:
        why = document["folders_not_listed_because"].get(folder)
        yield f"  could not be listed: {folder}" + (f"  ({why})" if why else "")
    yield from _as_of_line(document)
    if document["file"] is not None:
        yield from _proof(document["file"])
    yield ""
    yield f"certificate  {document['id']}, issued {document['issued_at']} to {document['issued_to']}"
    yield f"SHA-256      {certificate.sha256}"
    signature = certificate.signature
    yield f"signed       {f'Ed25519, key {signature.key_id}' if signature else 'no: the facility has no key for that'}"


def _reasons(document: Json) -> Iterator[str]:
    for reason in document["reasons"]:
        yield ""
        number = reason["files"]
        yield (
            f"{number:,} files must stay; each {reason['sentence']}:"
            if number > 1
            else f"1 file must stay; it {reason['sentence']}:"
        )
        for named in reason["first"]:
            yield f"  {named['path']}  ({named['detail']})"
        if reason["files"] > len(reason["first"]):
            yield "  …"


def _as_of_line(document: Json) -> Iterator[str]:
    counts = document["files"]
    yield ""
    if document["as_of"] is not None:
        yield f"as of        the scan of the share that ended at {document['as_of']['ended_at']}"
        yield f"not covered  {document['as_of']['not_covered']}"
    seen = document["archive_seen"]
    for location in seen["locations"]:
        found = location["trouble"] or f"{location['copies']:,} {'copy' if location['copies'] == 1 else 'copies'} found"
        yield f"archive      {location['name']}: {found}, by {seen['ended_at']}"
    yield f"destinations {', '.join(document['destinations']) or 'none'}"
    yield (
        f"files        {counts['known']:,} known: {counts['safe']:,} safe ({counts['safe_bytes']:,} bytes), "
        f"{counts['not_safe']:,} must stay, {counts['gone']:,} already gone"
    )
    if counts["gone_before_archived"]:
        yield f"             {counts['gone_before_archived']:,} of them were gone before they were archived"


def _proof(file: Json) -> Iterator[str]:
    yield ""
    yield f"{file['path']}  ({file['ark']}, version {file['version']})"
    yield f"  {file['size_bytes']:,} bytes, SHA-256 {file['sha256'] or 'not known'}"
    for link in file["chain"]:
        yield f"  {link['at']}  {link['event']:<14}  {link['what']}"
    for note in file["notes"]:
        yield f"  note: {note}"
