"""When much is damaged at once the location is held, until a person releases it."""

from typing import Any

import pytest

from streamweave.catalog.tables import User
from streamweave.errors import Conflict
from streamweave.preservation import sweep
from streamweave.preservation.damage import damage_threshold, release


def test_a_few_or_one_in_a_thousand_is_allowed() -> None:
    assert [damage_threshold(reread) for reread in (0, 10, 5_000, 12_500)] == [5, 5, 5, 12]


def test_too_much_damage_holds_the_location_and_marks_nothing(archive: Any) -> None:
    archive.damage(*range(6))
    report = archive.sweep()
    assert report.held.startswith("6 copies are damaged, missing or unreadable; this sweep has re-read 8.")
    assert set(archive.damaged().values()) == {"completed"}
    assert [hold.released_at for hold in archive.holds()] == [None]


def test_a_held_location_has_only_its_damage_re_read(archive: Any) -> None:
    archive.damage(*range(6))
    archive.sweep()
    assert archive.sweep().files == 6
    assert len(archive.holds()) == 1


def test_what_recovers_while_it_is_held_is_not_given_up(archive: Any) -> None:
    archive.damage(*range(6))
    archive.sweep()
    for number in range(6):
        archive.copy_of(number).write_bytes(b"0123456789")
    archive.release()
    report = archive.sweep()
    assert (report.damaged_files, report.held, archive.damaged()) == (0, "", {})


def test_what_is_still_damaged_after_the_release_is_marked(archive: Any) -> None:
    archive.damage(*range(6))
    archive.sweep()
    archive.release()
    assert archive.sweep().held == ""
    assert set(archive.damaged().values()) == {"damaged"}
    assert len(archive.damaged()) == 6


def test_much_more_damage_after_the_release_holds_it_again(archive: Any, bench: Any) -> None:
    for number in range(8, 14):
        bench.write(f"microscope/{number}.csv")
    bench.harvest()
    archive.damage(*range(6))
    archive.sweep()
    archive.release()
    archive.damage(*range(6, 12))
    assert archive.sweep().held != ""
    assert set(archive.damaged().values()) == {"completed"}
    assert len(archive.holds()) == 2


def test_a_hold_is_released_once(archive: Any) -> None:
    archive.damage(*range(6))
    archive.sweep()
    archive.release()
    (hold,) = archive.holds()
    with archive.bench.facility.sessions.begin() as session, pytest.raises(Conflict, match="released already"):
        release(session, session.query(User).one(), hold.id, archive.bench.clock.time)


def test_damage_left_by_killed_sweeps_counts(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a sweep dies before its end, what it found is held against the same bound."""
    monkeypatch.setattr(sweep, "mark_damaged", lambda *_: 0)
    archive.damage(0, 1, 2)
    archive.sweep()
    monkeypatch.undo()
    archive.damage(3, 4, 5)
    assert archive.sweep().held != ""
