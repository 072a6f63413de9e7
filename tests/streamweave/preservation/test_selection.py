"""The quota: however an archive came about, each night does an even share, and no copy waits for too long."""

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from streamweave.preservation.reread import (
    INTERVAL,
    LEAST_WORK,
    SPREAD_NIGHTS,
    ArchivedCopy,
    Holdings,
    quota_of,
    within,
    work_of,
)

START = datetime(2026, 1, 1, 3, tzinfo=UTC)
NIGHT = timedelta(days=1)
GIB = 1 << 30


def copy(size_bytes: int, last_verified_at: datetime | None = START) -> ArchivedCopy:
    return ArchivedCopy(uuid.uuid4(), uuid.uuid4(), "path", "path", size_bytes, "", last_verified_at)


def nights(copies: list[ArchivedCopy], number: int, missed: set[int] = frozenset()) -> list[tuple[int, timedelta]]:  # type: ignore[assignment] - only read
    """Plays nights over an archive: how much work each did, and how long its longest unread copy had waited."""
    ages = {each.transfer_id: START for each in copies}
    by_id = {each.transfer_id: each for each in copies}
    played = []
    for night in range(1, number + 1):
        now = START + night * NIGHT
        longest = now - min(ages.values())
        done = 0
        if night not in missed:
            holdings = Holdings(len(copies), sum(each.size_bytes for each in copies))
            in_turn = [copy_of(by_id[key], age) for key, age in sorted(ages.items(), key=lambda item: item[1])]
            for each in quota_of(holdings, now).taken(in_turn, 0):
                ages[each.transfer_id] = now
                done += work_of(1, each.size_bytes)
        played.append((done, longest))
    return played


def copy_of(known: ArchivedCopy, age: datetime) -> ArchivedCopy:
    return ArchivedCopy(known.transfer_id, known.file_id, "path", "path", known.size_bytes, "", age)


def test_what_was_archived_on_one_day_is_spread_evenly() -> None:
    copies = [copy(GIB) for _ in range(800)]
    played = nights(copies, 200)
    share = work_of(len(copies), len(copies) * GIB) // SPREAD_NIGHTS
    assert max(done for done, _ in played) <= share + work_of(1, GIB)
    assert max(longest for _, longest in played) <= (SPREAD_NIGHTS + 1) * NIGHT


@given(
    sizes=st.lists(st.sampled_from([0, 4096, GIB // 2, 3 * GIB, 40 * GIB]), min_size=1, max_size=60),
    missed=st.sets(st.integers(2, 180), max_size=5),
)
def test_no_copy_waits_longer_than_the_interval(sizes: list[int], missed: set[int]) -> None:
    played = nights([copy(size) for size in sizes], 180, missed)
    assert max(longest for _, longest in played) <= INTERVAL


def test_a_small_archive_is_read_every_night() -> None:
    quota = quota_of(Holdings(100, 1000), START)
    assert quota.work == LEAST_WORK
    copies = [copy(10) for _ in range(100)]
    assert quota.taken(copies, 0) == copies


def test_a_file_larger_than_a_share_has_its_turn() -> None:
    large = copy(500 * GIB)
    assert quota_of(Holdings(1, 500 * GIB), START).taken([large], 0) == [large]


def test_what_was_never_re_read_is_due() -> None:
    quota = quota_of(Holdings(2, 2), START)
    never, lately = copy(1, None), copy(1)
    assert quota.taken([never, lately], quota.work) == [never]


def test_a_batch_ends_with_the_file_that_fills_it() -> None:
    copies = [copy(6), copy(6), copy(6)]
    assert within(copies, 10) == copies[:2]
    assert within(copies, 1) == copies[:1]
