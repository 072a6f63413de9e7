"""What entries make of a file, whatever their order."""

import itertools
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from streamweave.catalog.tables import TransferStatus, VersionState
from streamweave.journal.entries import Entry, InstrumentFacts
from streamweave.journal.merging import File, new_file

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOCATION = uuid.UUID(int=3)
FACTS = InstrumentFacts(uuid.UUID(int=1), "m_01", "M 01", "M 01", "UTC", date(2020, 1, 1))


def entry(number: int, content: str | None = None, **others: Any) -> Entry:
    """The copy of a version, archived so many hours after noon."""
    when = NOW + timedelta(hours=number)
    made = Entry(
        instrument_id=FACTS.id,
        file_id=uuid.UUID(int=5),
        persistent_id="ark:/99999/fk4a",
        source_path="share/a.dat",
        discovered_at=NOW,
        version_id=uuid.UUID(int=100 + number),
        number=number,
        size_bytes=number,
        source_mtime=when,
        xxhash=f"{number:016x}",
        sha256=content or f"{number:064x}",
        transfer_id=uuid.UUID(int=200 + number),
        archived_path=f"M 01/share/a~v{number}.dat",
        archived_at=when,
    )
    return made._replace(**others)


def taken(*entries: Entry, into: File | None = None) -> File:
    file = into or new_file(entries[0])
    for each in entries:
        file.take(each, LOCATION, FACTS, (), NOW + timedelta(days=1))
    return file


def numbers(file: File) -> dict[int, tuple[str | None, bool, str]]:
    return {each["number"]: (each["sha256"], each["is_newest"], each["state"]) for each in file.versions.values()}


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_versions_come_back_under_their_numbers_in_whatever_order(order: tuple[int, ...]) -> None:
    file = taken(*map(entry, order))
    archived = VersionState.ARCHIVED
    assert numbers(file) == {n: (f"{n:064x}", n == 3, archived) for n in (1, 2, 3)}
    assert {each["status"] for each in file.transfers.values()} == {TransferStatus.COMPLETED}
    assert file.record["size_bytes"] == 3
    assert file.conflicts == []


def test_taking_in_twice_changes_nothing() -> None:
    once = taken(entry(1), entry(2))
    twice = taken(entry(1), entry(2), entry(2), entry(1))
    assert (once.versions, once.transfers, once.conflicts) == (twice.versions, twice.transfers, twice.conflicts)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_what_was_seen_since_and_is_not_archived_is_numbered_last(order: tuple[int, int]) -> None:
    file = new_file(entry(1))
    seen = entry(9)
    taken(seen, into=file)
    (version,) = file.versions.values()
    version |= {"number": 1, "sha256": None, "state": VersionState.SETTLING, "is_newest": True, "archived_at": None}
    version |= {"unchanged_since": NOW + timedelta(days=1)}
    file.transfers.clear()
    taken(*map(entry, order), into=file)
    assert {number: state for number, (_, _, state) in numbers(file).items()}.keys() == {1, 2, version["number"]}
    assert version["number"] > 2
    assert version["is_newest"]
    assert version["state"] == VersionState.SETTLING


def test_two_contents_for_one_number_are_both_kept_and_told() -> None:
    file = taken(entry(1), entry(1, "f" * 64, version_id=uuid.UUID(int=900), archived_at=NOW + timedelta(hours=5)))
    assert {number: content for number, (content, _, _) in numbers(file).items()} == {1: f"{1:064x}", 2: "f" * 64}
    assert "version 1 of the journal is version 2 here" in file.conflicts[0]


def test_a_copy_that_stands_twice_is_told_and_not_replaced() -> None:
    file = taken(entry(1), entry(1, transfer_id=uuid.UUID(int=901), archived_path="M 01/share/a~v1 again.dat"))
    (transfer,) = file.transfers.values()
    assert transfer["destination_path"] == "M 01/share/a~v1.dat"
    assert "a further copy" in file.conflicts[0]


def test_what_a_living_run_is_copying_is_left_to_it() -> None:
    run = uuid.UUID(int=77)
    file = taken(entry(1))
    version, transfer = next(iter(file.versions.values())), next(iter(file.transfers.values()))
    version |= {"sha256": None, "state": VersionState.PENDING, "archived_at": None}
    transfer |= {"status": TransferStatus.IN_PROGRESS, "run_id": run}
    file.take(entry(1), LOCATION, FACTS, {run}, NOW)
    assert (version["state"], transfer["status"]) == (VersionState.PENDING, TransferStatus.IN_PROGRESS)
    file.take(entry(1), LOCATION, FACTS, (), NOW)
    assert (version["state"], transfer["status"]) == (VersionState.ARCHIVED, TransferStatus.COMPLETED)
