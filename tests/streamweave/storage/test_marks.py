"""Marks as bytes, and which sentence refuses which."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.storage.marks import EARLY_MARKS, Mark, NoMark, parse_mark, refusal

MARK = Mark(UUID(int=1), UUID(int=2), datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC))
marks = st.builds(Mark, st.uuids(), st.uuids(), st.datetimes(timezones=st.just(UTC)))


@given(marks)
def test_a_mark_reads_back_as_it_was_written(mark: Mark) -> None:
    assert parse_mark(mark.content()) == mark


@given(st.binary(max_size=200))
def test_other_bytes_are_an_unreadable_mark(content: bytes) -> None:
    assert parse_mark(content) is NoMark.UNREADABLE


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"null",
        b"{}",
        MARK.content()[:-10],
        MARK.content().replace(b"+00:00", b""),
        MARK.content().replace(b'"00000000', b'"zzzzzzzz'),
        b'{"location_id": 1, "catalog_id": 2, "made_at": 3}',
    ],
)
def test_a_mark_that_lacks_something_is_unreadable(content: bytes) -> None:
    assert parse_mark(content) is NoMark.UNREADABLE


def test_marks_of_earlier_releases_are_known() -> None:
    assert [parse_mark(content) for content in EARLY_MARKS] == [NoMark.EARLY, NoMark.EARLY]
    assert parse_mark(None) is NoMark.MISSING


def test_the_own_mark_is_accepted_also_when_it_was_made_later() -> None:
    assert refusal("/a", MARK, MARK) is None
    assert refusal("/a", replace(MARK, made_at=MARK.made_at + timedelta(microseconds=1)), MARK) is None


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (NoMark.NO_FOLDER, "/a is not there. Is the disk mounted?"),
        (NoMark.MISSING, "/a is not the place it was: no mark (.streamweave/location). Is the disk mounted?"),
        (NoMark.EARLY, "/a: its mark is of an earlier release and does not say whose it is"),
        (NoMark.UNREADABLE, "/a: its mark (.streamweave/location) can't be read as one; restore or adopt the place"),
        (
            replace(MARK, catalog_id=UUID(int=9)),
            "/a belongs to another catalog: its mark, made 2026-03-01 12:30 UTC, names catalog "
            "00000000-0000-0000-0000-000000000009, not ours (00000000-0000-0000-0000-000000000002)",
        ),
        (
            replace(MARK, location_id=UUID(int=9)),
            "/a has the mark of another storage location: 00000000-0000-0000-0000-000000000009, which the catalog "
            "does not know. Were disks exchanged or mounted twice?",
        ),
        (
            replace(MARK, made_at=MARK.made_at - timedelta(days=1)),
            "/a was replaced: its mark is of 2026-02-28 12:30 UTC, but the location was marked anew on "
            "2026-03-01 12:30 UTC. Is an old disk mounted?",
        ),
    ],
)
def test_whatever_else_is_found_is_refused_with_its_own_sentence(found: Mark | NoMark, sentence: str) -> None:
    assert refusal("/a", found, MARK) == sentence


def test_a_location_that_the_catalog_knows_is_named() -> None:
    told = refusal("/a", replace(MARK, location_id=UUID(int=9)), MARK, "Archive B")
    assert told == "/a has the mark of another storage location: 'Archive B'. Were disks exchanged or mounted twice?"
