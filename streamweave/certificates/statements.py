"""What is certified of one file: the verdict, every reason, and the proof chain. Ready to be written as JSON. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streamweave.catalog.tables.file_versions import DONE
from streamweave.certificates.evidence import Circumstances, Copy, FileEvidence, Look, Reread
from streamweave.certificates.judgement import Judgement, Verdict
from streamweave.certificates.reasons import Reason

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the proof chain: when, what in a word, and what in a sentence that names all that was seen."""

    at: datetime | None
    event: str
    what: str


def statement_of(file: FileEvidence, judgement: Judgement, circumstances: Circumstances) -> Json:
    """What is certified of a file."""
    links = sorted((link for link in _chain(file, judgement, circumstances) if link.at), key=_in_time)
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
        "chain": [{"at": timestamp(link.at), "event": link.event, "what": link.what} for link in links],
        "notes": list(_notes(file)),
    }


def timestamp(time: datetime | None) -> str | None:
    """A time in UTC as ISO 8601 has it, to the microsecond."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _in_time(link: Link) -> datetime:
    assert link.at is not None, "links without a time are left out"
    return link.at


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
    doubts = {Reason.NOT_SEEN_SINCE, Reason.FOLDER_NOT_LISTED, Reason.OTHER_ADDRESS}
    found = {finding.reason for finding in judgement.findings}
    return file.state in DONE and judgement.verdict != Verdict.GONE and not found & doubts


def _link_of_look(look: Look) -> Link:
    began = timestamp(look.covers_since)
    return Link(
        look.ended_at,
        "seen_unchanged",
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
