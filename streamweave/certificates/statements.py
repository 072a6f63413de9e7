"""What is certified of one file: the verdict, every reason, and the proof chain. Ready to be written as JSON. Pure."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from streamweave.catalog.tables.files import DONE
from streamweave.certificates.evidence import Circumstances, Copy, FileEvidence, Reread
from streamweave.certificates.judgement import Judgement, Verdict
from streamweave.certificates.reasons import Reason
from streamweave.storage.base import CopyStat
from streamweave.storage.file_io import time_of

Json = dict[str, Any]
SEEN_UNCHANGED = "seen_unchanged"
"""The event that a complete look adds to a file's chain."""


Link = tuple[datetime | None, str, str]
"""One link of the proof chain: when, what in a word, and what in a sentence that names all that was seen.

Without a time it did not happen. There are a dozen for each file: a class for them took a tenth of all the time.
"""


def statement_of(file: FileEvidence, judgement: Judgement, circumstances: Circumstances) -> Json:
    """What is certified of a file."""
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
    """The copies that were found. When is said once for all files, so that the same state has the same text."""
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
    settled = f"{file.size_bytes} bytes of {timestamp(file.source_mtime)}, unchanged from here on"
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
        unclear = "was to be read again at the source, and it could not be told whether it is identical"
        chain.append((file.source_reread_at, "source_unclear", unclear))
    chain.append((file.source_verified_at, "source_verified", identical))
    chain.append((file.back_at, "back", "found again at the source after it had been gone"))
    if circumstances.look and _was_seen(file, judgement):
        look = circumstances.look
        chain.append((look.ended_at, SEEN_UNCHANGED, _confirmation(look.covers_since, look.scan_id)))
    if file.reread:
        chain.append((file.reread.at, "source_reread", _reread("read again at the source", file.reread)))
    chain.append((file.gone_at, "gone", "a complete look no longer found it at the source"))
    return chain


def _links_of_copy(file: FileEvidence, copy: Copy) -> list[Link]:
    where = f"{copy.place.name}: {copy.path}"
    run = f"harvest run {copy.run_id}" + (f", Dagster run {copy.dagster_run_id}" if copy.dagster_run_id else "")
    proof = f"{copy.size_bytes} bytes read with XXH64 {copy.xxhash_read}, SHA-256 {file.sha256}"
    read_back = f"read back from {where} with XXH64 {copy.xxhash_read_back}, and catalogued"
    if copy.xxhash_read_back is None:
        read_back = f"so says the journal of another storage location, which came with the copy at {where}"
    links: list[Link] = [
        (copy.planned_at, "decided", f"to be copied to {copy.place.name} (transfer {copy.transfer_id})"),
        (copy.claimed_at, "copying", f"taken on by {run}, for {copy.place.name}"),
        (copy.catalogued_at, "proven" if copy.xxhash_read_back else "noted", f"{proof}; {read_back}"),
    ]
    if copy.last_reread_at != copy.catalogued_at:
        found = f"damaged: {copy.damage}" if copy.damage else f"SHA-256 {file.sha256}"
        links.append((copy.last_reread_at, "reread", f"re-read from {where}: {found}"))
    return links


def _was_seen(file: FileEvidence, judgement: Judgement) -> bool:
    if not judgement.findings:
        return file.state in DONE and judgement.verdict != Verdict.GONE
    doubts = {Reason.NOT_SEEN_SINCE, Reason.FOLDER_NOT_LISTED, Reason.OTHER_ADDRESS}
    return file.state in DONE and doubts.isdisjoint(finding.reason for finding in judgement.findings)


@lru_cache(maxsize=8)
def _confirmation(covers_since: datetime, scan_id: uuid.UUID) -> str:
    """The same for all files that a look has confirmed."""
    return f"size and mtime as archived, by the complete look that began {timestamp(covers_since)} (scan {scan_id})"


def _reread(what: str, reread: Reread) -> str:
    return f"{what}: {reread.error}" if reread.error else f"{what}: {reread.size_bytes} bytes, SHA-256 {reread.sha256}"


def _notes(file: FileEvidence) -> Iterator[str]:
    if file.gone_at and file.state not in DONE:
        yield f"it was gone before it was archived ({file.state}: {file.reason})"
    elif file.gone_at and file.reason:
        yield file.reason
    if file.enrichment_error:
        yield f"its metadata are incomplete, which concerns no bytes: {file.enrichment_error}"
    if file.clock_skew_seconds is not None:
        skew = f"{file.clock_skew_seconds:.0f} s"
        yield f"its mtime lies {skew} outside of what our clock allows; here only counts that it is the same"
