"""The decision itself: one safe file, and everything that takes its safety away, one at a time."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streamweave.errors import NotAFile, StorageUnavailable
from streamweave.harvest.version_state import GONE_BEFORE_ALL
from streamweave.preservation.certificates.document import Tally, verdict_of
from streamweave.preservation.certificates.evidence import (
    Circumstances,
    CopyEvidence,
    FileEvidence,
    LastScan,
    LocationEvidence,
    Reread,
    Trouble,
)
from streamweave.preservation.certificates.judgement import (
    REREAD_WITHIN,
    SCAN_WITHIN,
    Judgement,
    Reason,
    Verdict,
    judge,
)
from streamweave.storage.base import CopyStat
from streamweave.storage.file_io import CLOCK_TOLERANCE, GRANULARITY_NS, LAST_TIME, copy_mtime_ns, nanoseconds

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACE = LocationEvidence(uuid.uuid4(), "Archive", is_open=True)
OTHER = LocationEvidence(uuid.uuid4(), "Other", is_open=True)
COPY = CopyEvidence(
    transfer_id=uuid.uuid4(),
    place=PLACE,
    path="Microscope/share/a.csv",
    is_completed=True,
    is_verified=True,
    size_bytes=23,
    xxhash_read="7c0d455ba2126c3d",
    xxhash_read_back="7c0d455ba2126c3d",
    planned_at=NOW - 5 * HOUR,
    claimed_at=NOW - 5 * HOUR,
    catalogued_at=NOW - 4 * HOUR,
    last_reread_at=NOW - 4 * HOUR,
    damage=None,
    run_id=uuid.uuid4(),
    dagster_run_id=None,
    source_mtime=NOW - 9 * HOUR,
)
STAT = CopyStat(23, copy_mtime_ns(NOW - 9 * HOUR))
FILE = FileEvidence(
    file_id=uuid.uuid4(),
    source_path="share/run/a.csv",
    folder="share/run",
    persistent_id="ark:/99999/fk4",
    gone_at=None,
    back_at=None,
    number=1,
    size_bytes=23,
    source_mtime=NOW - 9 * HOUR,
    state="archived",
    reason="",
    state_since=NOW - 4 * HOUR,
    seen_at=NOW - 8 * HOUR,
    quiet_since=NOW - 8 * HOUR,
    observed_at=NOW - 7 * HOUR,
    xxhash="7c0d455ba2126c3d",
    sha256="ab" * 32,
    is_redirected=False,
    clock_skew_seconds=None,
    enrichment_error=None,
    copies=(COPY,),
)
LOOK = LastScan(uuid.uuid4(), NOW - 2 * HOUR, NOW - HOUR, "//host/share", unlisted={}, unlisted_count=0)
CIRCUMSTANCES = Circumstances(
    NOW, "//host/share", LOOK, doubted_at=None, destinations=(PLACE,), copies={COPY.transfer_id: STAT}
)


def reasons(file: FileEvidence = FILE, circumstances: Circumstances = CIRCUMSTANCES) -> set[Reason]:
    return {finding.reason for finding in judge(file, circumstances).findings}


def with_copy(**changes: Any) -> FileEvidence:
    return replace(FILE, copies=(replace(COPY, **changes),))


def with_look(**changes: Any) -> Circumstances:
    return replace(CIRCUMSTANCES, last_scan=replace(LOOK, **changes))


def test_what_speaks_for_it_is_that_nothing_speaks_against_it() -> None:
    assert judge(FILE, CIRCUMSTANCES) == Judgement(Verdict.SAFE)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        (Reason.NOT_FINISHED, {"state": "settling"}),
        (Reason.NOT_FINISHED, {"state": "overdue"}),
        (Reason.NOT_DECIDED, {"state": "settled"}),
        (Reason.COPY_PENDING, {"state": "pending"}),
        (Reason.COPY_FAILED, {"state": "failed"}),
        (Reason.NEVER_ARCHIVED, {"state": "skipped"}),
        (Reason.NEVER_ARCHIVED, {"state": "vanished"}),
        (Reason.NEVER_ARCHIVED, {"state": "unreadable"}),
        (Reason.NEVER_ARCHIVED, {"state": "superseded"}),
        (Reason.COPY_NOT_PROVEN, {"sha256": None}),
        (Reason.COPY_NOT_PROVEN, {"size_bytes": 24}),
        (Reason.COPY_NOT_PROVEN, {"xxhash": "0" * 16}),
        (Reason.UNFINISHED, {"unfinished": "growing", "reason": "growing"}),
        (Reason.UNFINISHED, {"unfinished": "growing", "state": "unchanged", "reason": "archived before"}),
        (Reason.NO_COPY, {"copies": ()}),
        (Reason.NO_COPY, {"copies": (), "is_redirected": True}),
        (Reason.WITH_RESERVATION, {"reason": "it never was quiet"}),
        (Reason.WITH_RESERVATION, {"is_redirected": True, "reason": GONE_BEFORE_ALL}),
        (Reason.NO_COPY, {"copies": (replace(COPY, place=OTHER),)}),
        (Reason.NOT_SEEN_SINCE, {"state_since": NOW - 2 * HOUR}),
        (Reason.NOT_SEEN_SINCE, {"back_at": NOW - 2 * HOUR}),
        (Reason.SOURCE_NOT_REREAD, {"reread": Reread(NOW, error="no answer")}),
        (Reason.SOURCE_DIFFERS, {"reread": Reread(NOW, 23, "cd" * 32)}),
        (Reason.SOURCE_DIFFERS, {"reread": Reread(NOW, 24, "ab" * 32)}),
    ],
)
def test_each_fact_of_a_file_counts_for_itself(reason: Reason, changes: dict[str, Any]) -> None:
    assert reasons(replace(FILE, **changes)) == {reason}


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        (Reason.COPY_NOT_PROVEN, {"is_verified": False}),
        (Reason.COPY_NOT_PROVEN, {"xxhash_read": "0" * 16}),
        (Reason.COPY_NOT_PROVEN, {"xxhash_read_back": None}),
        (Reason.COPY_NOT_PROVEN, {"size_bytes": None}),
        (Reason.COPY_NOT_PROVEN, {"catalogued_at": None}),
        (Reason.COPY_DAMAGED, {"damage": "rotten"}),
        (Reason.COPY_DAMAGED, {"damage": "rotten", "is_completed": False}),
        (Reason.LOCATION_DISABLED, {}),
        (Reason.NOT_REREAD, {"last_reread_at": None}),
        (Reason.NOT_REREAD, {"last_reread_at": NOW - REREAD_WITHIN - timedelta(microseconds=1)}),
        (Reason.NOT_REREAD, {"last_reread_at": NOW + HOUR}),
        (Reason.NOT_SEEN_SINCE, {"catalogued_at": NOW - 2 * HOUR}),
        (Reason.ARCHIVE_NOT_REREAD, {"not_reread": "not mounted"}),
        (Reason.LOCATION_HELD, {"place": replace(PLACE, held="too much")}),
    ],
)
def test_each_fact_of_a_copy_counts_for_itself(reason: Reason, changes: dict[str, Any]) -> None:
    closed = replace(CIRCUMSTANCES, destinations=(replace(PLACE, is_open=False),))
    assert reasons(with_copy(**changes), closed if reason == Reason.LOCATION_DISABLED else CIRCUMSTANCES) == {reason}


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        (Reason.LOOK_TOO_OLD, {"covers_since": NOW - 3 * HOUR, "ended_at": NOW - SCAN_WITHIN - HOUR}),
        (Reason.LOOK_TOO_OLD, {"ended_at": NOW + HOUR}),
        (Reason.OTHER_ADDRESS, {"address": "//other/share"}),
        (Reason.OTHER_ADDRESS, {"address": None}),
        (Reason.FOLDER_NOT_LISTED, {"unlisted": {"share/run": "denied"}, "unlisted_count": 1}),
        (Reason.FOLDER_NOT_LISTED, {"unlisted": {"share": "denied"}, "unlisted_count": 1}),
        (Reason.FOLDER_NOT_LISTED, {"unlisted_count": 1}),
        (Reason.NOT_SEEN_SINCE, {"covers_since": NOW - 4 * HOUR}),
    ],
)
def test_each_fact_of_the_look_counts_for_itself(reason: Reason, changes: dict[str, Any]) -> None:
    assert reasons(circumstances=with_look(**changes)) == {reason}


def with_found(found: Any) -> Circumstances:
    return replace(CIRCUMSTANCES, copies={COPY.transfer_id: found})


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        (Reason.COPY_MISSING, None),
        (Reason.COPY_MISSING, NotAFile("a folder")),
        (Reason.COPY_NOT_SEEN, StorageUnavailable("an I/O error")),
        (Reason.COPY_SIZE_DIFFERS, STAT._replace(size_bytes=22)),
        (Reason.COPY_MODIFIED, STAT._replace(mtime_ns=nanoseconds(NOW - HOUR))),
        (Reason.COPY_MODIFIED, STAT._replace(mtime_ns=2**62)),
    ],
)
def test_what_is_found_at_the_place_of_a_copy_counts(reason: Reason, found: Any) -> None:
    assert reasons(circumstances=with_found(found)) == {reason}


def test_a_copy_that_nobody_asked_for_is_not_taken_to_be_there() -> None:
    assert reasons(circumstances=replace(CIRCUMSTANCES, copies={})) == {Reason.COPY_NOT_SEEN}


@pytest.mark.parametrize("is_other_place", [True, False])
def test_a_location_in_trouble_takes_the_safety_of_every_copy_in_it(is_other_place: bool) -> None:
    reason = Reason.LOCATION_NOT_THERE if is_other_place else Reason.LOCATION_UNREACHABLE
    troubles = {PLACE.id: Trouble(is_other_place, "not mounted")}
    for copies in (CIRCUMSTANCES.copies, {}):
        assert reasons(circumstances=replace(CIRCUMSTANCES, copies=copies, troubles=troubles)) == {reason}


@pytest.mark.parametrize(
    ("mtime_ns", "is_safe"),
    [
        (STAT.mtime_ns + GRANULARITY_NS - 1, True),
        (nanoseconds(NOW - 20 * HOUR), True),  # made before copies carried the time of their source
        (nanoseconds(NOW - 4 * HOUR), True),  # when it was catalogued
        (nanoseconds(NOW - 4 * HOUR + CLOCK_TOLERANCE), True),
        (nanoseconds(NOW - 4 * HOUR + CLOCK_TOLERANCE) + 1, False),
    ],
)
def test_what_was_written_before_the_content_was_proven_is_part_of_the_proof(mtime_ns: int, is_safe: bool) -> None:
    found = with_found(STAT._replace(mtime_ns=mtime_ns))
    assert reasons(circumstances=found) == (set() if is_safe else {Reason.COPY_MODIFIED})


def test_a_copy_that_was_re_read_after_its_last_change_is_what_was_archived() -> None:
    touched = with_found(STAT._replace(mtime_ns=nanoseconds(NOW - 2 * HOUR)))
    assert reasons(circumstances=touched) == {Reason.COPY_MODIFIED}
    assert reasons(with_copy(last_reread_at=NOW - HOUR), touched) == set()


def test_a_source_with_an_impossible_time_has_a_copy_with_a_possible_one() -> None:
    far = NOW.replace(year=9998)
    assert copy_mtime_ns(far) == nanoseconds(LAST_TIME)
    assert reasons(with_copy(source_mtime=far), with_found(STAT._replace(mtime_ns=copy_mtime_ns(far)))) == set()


def test_a_folder_that_was_not_listed_is_named_with_its_reason() -> None:
    hidden = with_look(unlisted={"share/run": "a link to itself"}, unlisted_count=1)
    [finding] = judge(FILE, hidden).findings
    assert (finding.reason, finding.detail) == (Reason.FOLDER_NOT_LISTED, "share/run: a link to itself")


def test_without_look_or_destination_and_after_a_doubtful_look_nothing_is_safe() -> None:
    assert reasons(circumstances=replace(CIRCUMSTANCES, last_scan=None)) == {Reason.NO_COMPLETE_LOOK}
    assert reasons(circumstances=replace(CIRCUMSTANCES, destinations=())) == {Reason.NO_DESTINATION}
    assert reasons(circumstances=replace(CIRCUMSTANCES, doubted_at=NOW)) == {Reason.SHARE_DOUBTED}


def test_every_destination_counts_and_what_is_no_destination_does_not() -> None:
    two = replace(CIRCUMSTANCES, destinations=(PLACE, OTHER))
    assert reasons(circumstances=two) == {Reason.NO_COPY}
    in_both = replace(FILE, copies=(COPY, replace(COPY, place=OTHER, damage="rotten")))  # of one transfer, by the ids
    assert reasons(in_both, two) == {Reason.COPY_DAMAGED}
    assert reasons(in_both) == set()


def test_all_that_speaks_against_a_file_is_told_at_once() -> None:
    file = replace(with_copy(damage="rotten", last_reread_at=None), state="failed")
    assert reasons(file, with_look(address=None, unlisted={"share": "denied"}, unlisted_count=1)) == {
        Reason.COPY_FAILED,
        Reason.COPY_DAMAGED,
        Reason.NOT_REREAD,
        Reason.OTHER_ADDRESS,
        Reason.FOLDER_NOT_LISTED,
    }


def test_folders_that_only_sound_alike_hide_nothing() -> None:
    assert (
        reasons(circumstances=with_look(unlisted={"share/ru": "denied", "share/run/a.csv": "denied"}, unlisted_count=2))
        == set()
    )


def test_an_empty_sum_is_never_safe() -> None:
    assert verdict_of(Tally(), (), names_all_unlisted=True) == Verdict.GONE


def test_every_reason_has_its_sentence() -> None:
    assert all(reason.sentence for reason in Reason)


def test_what_is_gone_is_neither_safe_nor_unsafe_whatever_else_is_known_of_it() -> None:
    gone = replace(with_copy(damage="rotten"), gone_at=NOW)
    assert judge(gone, CIRCUMSTANCES) == Judgement(Verdict.GONE)
