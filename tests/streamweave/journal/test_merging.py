"""What entries make of a file, whatever their order."""

import itertools
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from streamweave.catalog.tables import TransferStatus, VersionState
from streamweave.journal.entries import Entry, InstrumentFacts
from streamweave.journal.merging import UNFINISHED, File, new_file

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
        location_id=LOCATION,
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


def only(rows: dict[uuid.UUID, Any]) -> Any:
    (row,) = rows.values()
    return row


def test_a_copy_is_as_proven_as_its_own_location_says() -> None:
    transfer = only(taken(entry(1)).transfers)
    assert (transfer["last_verified_at"], transfer["dest_checksum"]) == (entry(1).archived_at, entry(1).xxhash)


@pytest.mark.parametrize("elsewhere", [uuid.UUID(int=33), None])
def test_a_copy_that_was_proven_elsewhere_was_never_read_here(elsewhere: uuid.UUID | None) -> None:
    file = taken(entry(1, location_id=elsewhere))
    transfer = only(file.transfers)
    assert (transfer["status"], only(file.versions)["state"]) == (TransferStatus.COMPLETED, VersionState.ARCHIVED)
    assert (transfer["last_verified_at"], transfer["dest_checksum"]) == (None, None)


def test_what_was_repaired_elsewhere_was_not_damaged_here() -> None:
    repair = entry(1, transfer_id=uuid.UUID(int=901), archived_path="a~v1r1.dat", repairs=1)
    repair = repair._replace(archived_at=NOW + timedelta(hours=9))
    elsewhere = uuid.UUID(int=33)

    def statuses(*entries: Entry) -> list[str]:
        return [each["status"] for each in taken(*entries).transfers.values()]

    assert statuses(entry(1), repair._replace(location_id=elsewhere)) == [TransferStatus.COMPLETED]
    repaired = [TransferStatus.DAMAGED, TransferStatus.COMPLETED]
    assert statuses(entry(1), repair) == repaired
    assert statuses(entry(1, location_id=elsewhere), repair._replace(location_id=elsewhere)) == repaired


UNFINISHED_LINE = entry(1, is_unfinished=True)
REPAIR_LINE = entry(1, transfer_id=uuid.UUID(int=901), archived_path="a~v1r1.dat")


@pytest.mark.parametrize("order", [(UNFINISHED_LINE, REPAIR_LINE), (REPAIR_LINE, UNFINISHED_LINE)])
def test_a_content_that_one_line_calls_unfinished_is_so_whatever_the_others_say(order: tuple[Entry, ...]) -> None:
    version = only(taken(*order).versions)
    assert (version["unfinished"], version["reason"]) == (UNFINISHED, UNFINISHED)


def test_a_version_that_was_archived_unfinished_after_the_backup_is_unfinished() -> None:
    file = taken(entry(1))
    version = only(file.versions)
    version |= {"sha256": None, "state": VersionState.SETTLING, "archived_at": None}
    file.transfers.clear()
    taken(UNFINISHED_LINE, into=file)
    assert (version["state"], version["unfinished"]) == (VersionState.ARCHIVED, UNFINISHED)


def test_what_had_failed_for_one_location_and_is_archived_there_is_due_for_the_other() -> None:
    second = uuid.UUID(int=44)
    file = taken(entry(1))
    version, failed = only(file.versions), only(file.transfers)
    version |= {"sha256": None, "state": VersionState.FAILED, "reason": "no", "archived_at": None}
    version |= {"failures": 3, "retry_at": NOW}
    failed |= {"status": TransferStatus.FAILED}
    waiting = failed | {"id": uuid.UUID(int=902), "storage_location_id": second, "status": TransferStatus.PENDING}
    file.transfers[waiting["id"]] = waiting
    taken(entry(1, transfer_id=uuid.UUID(int=903)), into=file)
    assert (version["state"], version["reason"]) == (VersionState.PENDING, "")
    assert (version["failures"], version["retry_at"]) == (0, None)
    file.take(entry(1, location_id=second), second, FACTS, (), NOW)
    assert (version["state"], waiting["status"]) == (VersionState.ARCHIVED, TransferStatus.COMPLETED)
