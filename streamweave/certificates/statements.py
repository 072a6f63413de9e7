"""What is certified of one file: the verdict, every reason, and the proof chain. Ready to be written as JSON. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from streamweave.catalog.tables.file_versions import DONE
from streamweave.certificates.evidence import Circumstances, Copy, FileEvidence, Look, Reread
from streamweave.certificates.judgement import Judgement, Verdict
from streamweave.certificates.reasons import Reason
from streamweave.storage.base import CopyStat
from streamweave.storage.copy_times import time_of

Json = dict[str, Any]
SEEN_UNCHANGED = "seen_unchanged"
"""The event that a complete look adds to a file's chain."""


class Link(NamedTuple):
    """One link of the proof chain: when, what in a word, and what in a sentence that names all that was seen."""

    at: datetime | None
    event: str
    what: str


def statement_of(file: FileEvidence, judgement: Judgement, circumstances: Circumstances) -> Json:
    """What is certified of a file."""
    links = sorted((link for link in _chain(file, judgement, circumstances) if link.at), key=itemgetter(0))
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
        "chain": [{"at": timestamp(link.at), "event": link.event, "what": link.what} for link in links],
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


def _chain(file: FileEvidence, judgement: Judgement, circumstances: Circumstances) -> Iterator[Link]:
    yield Link(file.seen_at, "seen", f"version {file.number} was first seen")
    yield Link(
        file.quiet_since, "quiet", f"{file.size_bytes} bytes of {timestamp(file.source_mtime)}, unchanged from here on"
    )
    yield Link(file.observed_at, "observed", "seen unchanged, before it was decided on")
    for copy in file.copies:
        yield from _links_of_copy(file, copy)
    if file.state in DONE:
        yield Link(
            file.state_since, str(file.state), file.reason or "archived in every storage location it was meant for"
        )
    if file.source_reread_at != file.source_verified_at:
        unclear = "was to be read again at the source, and it could not be told whether it is identical"
        yield Link(file.source_reread_at, "source_unclear", unclear)
    yield Link(
        file.source_verified_at, "source_verified", f"re-read at the source, and identical: SHA-256 {file.sha256}"
    )
    yield Link(file.back_at, "back", "found again at the source after it had been gone")
    if circumstances.look and _was_seen(file, judgement):
        yield _link_of_look(circumstances.look)
    if file.reread:
        yield Link(file.reread.at, "source_reread", _reread("read again at the source", file.reread))
    yield Link(file.gone_at, "gone", "a complete look no longer found it at the source")


def _links_of_copy(file: FileEvidence, copy: Copy) -> Iterator[Link]:
    where = f"{copy.place.name}: {copy.path}"
    run = f"harvest run {copy.run_id}" + (f", Dagster run {copy.dagster_run_id}" if copy.dagster_run_id else "")
    yield Link(copy.planned_at, "decided", f"to be copied to {copy.place.name} (transfer {copy.transfer_id})")
    yield Link(copy.claimed_at, "copying", f"taken on by {run}, for {copy.place.name}")
    proof = f"{copy.size_bytes} bytes read with XXH64 {copy.xxhash_read}, SHA-256 {file.sha256}"
    read_back = f"read back from {where} with XXH64 {copy.xxhash_read_back}, and catalogued"
    yield Link(copy.catalogued_at, "proven", f"{proof}; {read_back}")
    if copy.last_reread_at != copy.catalogued_at:
        found = f"damaged: {copy.damage}" if copy.damage else f"SHA-256 {file.sha256}"
        yield Link(copy.last_reread_at, "reread", f"re-read from {where}: {found}")


def _was_seen(file: FileEvidence, judgement: Judgement) -> bool:
    if not judgement.findings:
        return file.state in DONE and judgement.verdict != Verdict.GONE
    doubts = {Reason.NOT_SEEN_SINCE, Reason.FOLDER_NOT_LISTED, Reason.OTHER_ADDRESS}
    return file.state in DONE and doubts.isdisjoint(finding.reason for finding in judgement.findings)


def _link_of_look(look: Look) -> Link:
    began = timestamp(look.covers_since)
    return Link(
        look.ended_at,
        SEEN_UNCHANGED,
        f"size and mtime as archived, by the complete look that began {began} (scan {look.scan_id})",
    )


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
