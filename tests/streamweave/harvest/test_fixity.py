"""Fixity: what the archive holds is read again, within a budget, and each copy has its turn."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamweave.errors import StorageUnavailable
from streamweave.harvest.fixity import FixityReport, known_damage, verify_archived
from streamweave.storage.posix import PosixStorage


@pytest.fixture
def archived(bench: Any) -> Any:
    """A bench whose archive holds four files of ten bytes each."""
    for number in range(4):
        bench.write(f"microscope/{number}.csv", b"0123456789")
    bench.harvest()
    return bench


def verify(bench: Any, max_bytes: int = 1 << 20, max_files: int = 100) -> FixityReport:
    bench.clock.time += timedelta(minutes=1)
    return verify_archived(bench.facility, bench.instrument, max_bytes=max_bytes, max_files=max_files)


def copy_of(bench: Any, number: int) -> Path:
    (path,) = (path for path in bench.archive.rglob(f"{number}.csv") if path.is_file())
    path.chmod(0o644)
    return Path(path)


def found_damage(bench: Any) -> list[str]:
    with bench.facility.sessions() as session:
        return [path for path, _ in known_damage(session, bench.instrument)]


def test_an_intact_archive_passes_and_remembers_when(archived: Any) -> None:
    report = verify(archived)
    assert (report.files, report.bytes, report.damaged, report.troubles) == (4, 40, [], [])
    (transfer,) = archived.transfers("microscope/0.csv")
    assert transfer.last_verified_at == archived.clock.time


@pytest.mark.parametrize(("max_bytes", "max_files"), [(1 << 20, 2), (15, 100)])
def test_a_budget_ends_it_and_the_next_one_goes_on(archived: Any, max_bytes: int, max_files: int) -> None:
    for _ in range(2):
        assert verify(archived, max_bytes, max_files).files == 2
    verified = {archived.transfers(f"microscope/{number}.csv")[0].last_verified_at for number in range(4)}
    assert verified == {archived.clock.time, archived.clock.time - timedelta(minutes=1)}


def test_a_file_larger_than_the_budget_has_its_turn_too(archived: Any) -> None:
    assert verify(archived, max_bytes=1).files == 1


def test_changed_shortened_and_lost_copies_are_damaged(archived: Any) -> None:
    copy_of(archived, 0).write_bytes(b"0123456780")
    copy_of(archived, 1).write_bytes(b"012345678")
    copy_of(archived, 2).unlink()
    report = verify(archived)
    assert {damage.source_path for damage in report.damaged} == {f"microscope/{number}.csv" for number in range(3)}
    assert set(found_damage(archived)) == {f"microscope/{number}.csv" for number in range(3)}
    assert "it is no longer there" in {damage.what for damage in report.damaged}


def test_the_damaged_come_first_so_that_a_repair_shows(archived: Any) -> None:
    damaged = copy_of(archived, 3)
    damaged.write_bytes(b"xxxxxxxxxx")
    verify(archived)
    damaged.write_bytes(b"0123456789")
    assert verify(archived, max_files=1).damaged == []
    assert found_damage(archived) == []


def test_a_location_that_is_not_there_damages_nothing(archived: Any) -> None:
    archived.archive.rename(archived.archive.with_name("unmounted"))
    report = verify(archived)
    assert (report.files, report.damaged, len(report.troubles)) == (0, [], 1)
    assert found_damage(archived) == []


def test_a_location_that_fails_in_the_middle_of_a_file_damages_nothing(
    archived: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = PosixStorage.read

    def break_off(storage: PosixStorage, path: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        yield from read(storage, path, offset, 3)
        if path.endswith("/1.csv"):
            raise StorageUnavailable("the server does not answer")
        yield from read(storage, path, offset + 3, length)

    monkeypatch.setattr(PosixStorage, "read", break_off)
    report = verify(archived)
    assert (report.files, report.damaged) == (3, [])
    assert [str(trouble) for trouble in report.troubles] == ["the server does not answer"]
    assert found_damage(archived) == []
    verified = {number: archived.transfers(f"microscope/{number}.csv")[0].last_verified_at for number in range(4)}
    assert {number for number, time in verified.items() if time == archived.clock.time} == {0, 2, 3}


def test_a_known_damage_stays_known_while_its_location_fails(archived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_of(archived, 0).write_bytes(b"0123456780")
    verify(archived)

    def fail(*_: object) -> Iterator[bytes]:
        raise StorageUnavailable("the server does not answer")

    monkeypatch.setattr(PosixStorage, "read", fail)
    assert len(verify(archived).troubles) == 4
    assert found_damage(archived) == ["microscope/0.csv"]


def test_a_copy_that_we_are_refused_is_damaged(archived: Any) -> None:
    copy = copy_of(archived, 0)
    copy.unlink()
    copy.mkdir()
    (damage,) = verify(archived).damaged
    assert damage.what.startswith("it can't be read: ")
