"""A certificate for a person to read: plain lines, of any width. Pure.

Names from a share may hold anything; what a terminal would take for a command is shown escaped.
"""

from collections.abc import Iterator

from streamweave.certificates.documents import Certificate
from streamweave.certificates.statements import Json
from streamweave.printable import printable


def lines_of(certificate: Certificate) -> Iterator[str]:
    """The answer first, then why, then as of when, then the proof, then what names the paper itself."""
    return map(printable, _lines(certificate))


def _lines(certificate: Certificate) -> Iterator[str]:
    document = certificate.document
    yield document["statement"]
    yield from _reasons(document)
    for folder in document["folders_not_listed"]:
        why = document["folders_not_listed_because"].get(folder)
        yield f"  could not be listed: {folder}" + (f"  ({why})" if why else "")
    yield from _as_of(document)
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


def _as_of(document: Json) -> Iterator[str]:
    counts = document["files"]
    yield ""
    if document["as_of"] is not None:
        yield f"as of        the look at the share that ended at {document['as_of']['ended_at']}"
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
