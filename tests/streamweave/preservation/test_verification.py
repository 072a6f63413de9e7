"""Archive and catalog are compared both ways, and everything in which they differ is told."""

import os
from datetime import timedelta
from typing import Any

import pytest

from streamweave.preservation.verification import FindingKind, VerificationReport, verify_location


def verify(archive: Any, *, quick: bool = False) -> VerificationReport:
    archive.bench.clock.time += timedelta(minutes=1)
    return verify_location(archive.bench.facility, archive.bench.location, quick=quick)


def told(report: VerificationReport) -> dict[str, list[str]]:
    """The names of the files, or of what is staged, by kind."""
    found: dict[str, list[str]] = {}
    for each in report.named:
        found.setdefault(each.kind, []).append(each.address.rpartition("/")[2])
    return {kind: sorted(names) for kind, names in found.items()}


@pytest.mark.parametrize("quick", [False, True])
def test_an_archive_that_is_as_it_should_be(archive: Any, quick: bool) -> None:
    report = verify(archive, quick=quick)
    assert (report.files, report.bytes, report.counts.total(), report.trouble) == (8, 80, 0, None)
    assert len(archive.checks()) == (0 if quick else 8)


def test_every_difference_is_found(archive: Any) -> None:
    archive.damage(0)
    archive.copy_of(1).write_bytes(b"short")
    archive.copy_of(2).unlink()
    archive.copy_of(3).with_name("stray.csv").write_bytes(b"whose?")
    (archive.bench.archive / ".streamweave" / "incoming" / "left.part").write_bytes(b"half")
    report = verify(archive)
    assert told(report) == {
        "damaged": ["0.csv", "1.csv"],
        "missing": ["2.csv"],
        "stray": ["stray.csv"],
        "leftover": [f"{archive.bench.location.base_path.rpartition('/')[2]}: staged as left"],
    }
    assert report.counts.total() == 5


def test_a_quick_look_finds_all_but_changed_bytes(archive: Any) -> None:
    archive.damage(0)
    archive.copy_of(1).write_bytes(b"short")
    archive.copy_of(2).unlink()
    archive.copy_of(3).write_bytes(b"0123456789 and more")
    assert told(verify(archive, quick=True)) == {"damaged": ["1.csv", "3.csv"], "missing": ["2.csv"]}


def test_a_name_that_is_no_text_is_an_orphan(archive: Any) -> None:
    with open(os.fsencode(archive.bench.archive) + b"/\xff.csv", "wb") as file:
        file.write(b"whose?")
    (orphan,) = verify(archive).named
    assert (orphan.kind, orphan.address.rpartition("/")[2]) == (FindingKind.ORPHAN, "\\xff.csv")


def test_bytes_that_a_dead_run_published_are_no_orphans(archive: Any) -> None:
    """The next harvest takes them over."""
    archive.bench.change(archive.transfer(0), status="pending", started_at=archive.bench.clock.time, completed_at=None)
    assert verify(archive).counts.total() == 0


def test_everything_is_read_although_too_much_is_damaged_and_the_location_is_held(archive: Any) -> None:
    archive.damage(*range(7))
    report = verify(archive)
    assert (report.files, report.counts[FindingKind.DAMAGED]) == (8, 7)
    assert report.held.startswith("7 copies are damaged")
    assert set(archive.damaged().values()) == {"completed"}


def test_what_was_given_up_and_not_repaired_is_told_again(archive: Any) -> None:
    archive.damage(0)
    archive.sweep()
    (damage,) = verify(archive).named
    assert (damage.kind, damage.source_path) == (FindingKind.UNREPAIRED, "microscope/0.csv")
    assert "archived were 10 bytes" in damage.found


@pytest.mark.parametrize("quick", [False, True])
def test_a_location_that_is_not_there_can_not_be_compared(archive: Any, quick: bool) -> None:
    archive.bench.archive.rename(archive.bench.archive.with_name("unmounted"))
    report = verify(archive, quick=quick)
    assert (report.files, report.counts.total()) == (0, 0)
    assert "Is the disk mounted?" in str(report.trouble)
