"""The bodies of certificates: field by field what was signed, so times and ids are texts. Sizes are in bytes."""

from datetime import datetime
from uuid import UUID

from streamweave_api.bodies import Outgoing


class RulesBody(Outgoing):
    """By which rules it was judged; how old the look and the last re-reading of a copy may be."""

    version: str
    look_within_seconds: int
    reread_within_seconds: int


class InstrumentNamed(Outgoing):
    """Whose files it speaks of."""

    id: str
    slug: str
    name: str


class LookNamed(Outgoing):
    """The complete look at the share up to which it speaks, and what it therefore does not cover."""

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
    """Why files must stay: how many, and the first of them. ``sentence`` goes on from "the file …"."""

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
    """A certificate that was issued: who was told what, and when."""

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
