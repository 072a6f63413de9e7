"""Lines of a journal say what they said, or are told to be illegible."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from streamweave.journal.entries import (
    FORMAT,
    Entry,
    Heading,
    InstrumentFacts,
    Reader,
    _heading_fields,
    _line,
    lines_of,
)

NOW = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
INSTRUMENT = InstrumentFacts(uuid.UUID(int=1), "m_01", "M 01", "M 01", "Europe/Berlin", date(2020, 1, 1), "share/data")
HEADING = Heading(uuid.UUID(int=2), uuid.UUID(int=3), "Archive", uuid.UUID(int=4), INSTRUMENT, NOW)
ENTRY = Entry(
    instrument_id=INSTRUMENT.id,
    file_id=uuid.UUID(int=5),
    persistent_id="ark:/99999/fk4a",
    source_path="share/a.dat",
    discovered_at=NOW,
    version_id=uuid.UUID(int=6),
    number=2,
    size_bytes=1 << 40,
    source_mtime=NOW,
    xxhash="0" * 16,
    sha256="1" * 64,
    transfer_id=uuid.UUID(int=7),
    archived_path="M 01/share/a~v2.dat",
    archived_at=NOW,
    location_id=HEADING.location_id,
)
TEXT = st.text(min_size=1)


@given(TEXT, TEXT, st.datetimes(timezones=st.just(UTC)), st.booleans(), st.integers(0, 9))
def test_a_batch_reads_as_it_was_written(path: str, name: str, when: datetime, unfinished: bool, repairs: int) -> None:
    heading = replace(HEADING, location_name=name, written_at=when)
    entries = [ENTRY, ENTRY._replace(source_path=path, source_mtime=when, is_unfinished=unfinished, repairs=repairs)]
    reader = Reader()
    assert list(reader.entries([lines_of(heading, entries)])) == entries
    assert reader.headings == {INSTRUMENT.id: heading}
    assert reader.illegible == 0


@given(st.data())
def test_of_a_journal_that_was_torn_all_whole_lines_are_read(data: st.DataObject) -> None:
    lines = lines_of(HEADING, [ENTRY._replace(number=number) for number in range(1, 4)])
    end = data.draw(st.integers(0, len(lines)))
    reader = Reader()
    read = list(reader.entries([lines[:end]]))
    rest = lines[:end].rpartition(b"\n")[2]
    only_its_end_is_missing = bool(rest) and lines[end : end + 1] == b"\n"
    assert len(read) == max(lines[:end].count(b"\n") + only_its_end_is_missing - 1, 0)
    assert reader.illegible == (bool(rest) and not only_its_end_is_missing)


@given(st.data())
def test_a_line_that_was_changed_is_not_believed(data: st.DataObject) -> None:
    lines = lines_of(HEADING, [ENTRY])
    start = lines.index(b"\n") + 1
    place = data.draw(st.integers(start, len(lines) - 2))
    bit = data.draw(st.integers(0, 7))
    spoilt = lines[:place] + bytes([lines[place] ^ 1 << bit]) + lines[place + 1 :]
    reader = Reader()
    assert list(reader.entries([spoilt])) == []
    assert reader.illegible >= 1


@given(st.integers(1, 300))
def test_it_matters_not_in_which_pieces_a_journal_comes(size: int) -> None:
    lines = lines_of(HEADING, [ENTRY, ENTRY])
    pieces = [lines[start : start + size] for start in range(0, len(lines), size)]
    assert list(Reader().entries(pieces)) == [ENTRY, ENTRY]


def test_a_heading_of_a_later_format_is_not_guessed_at() -> None:
    later = _line({**_heading_fields(HEADING), "streamweave_journal": FORMAT + 1})
    reader = Reader()
    assert list(reader.entries([later, lines_of(HEADING, [ENTRY])])) == [ENTRY]
    assert reader.illegible == 1


def test_each_entry_says_which_location_it_was_written_for_if_that_is_known() -> None:
    other = replace(HEADING, location_id=uuid.UUID(int=9))
    first, second = lines_of(HEADING, [ENTRY]), lines_of(other, [ENTRY])
    torn = second[:20] + second[second.index(b"\n") :]

    def locations(lines: bytes) -> list[uuid.UUID | None]:
        return [each.location_id for each in Reader().entries([lines])]

    assert locations(first + second) == [HEADING.location_id, other.location_id]
    assert locations(first + torn + first) == [HEADING.location_id, None, HEADING.location_id]
