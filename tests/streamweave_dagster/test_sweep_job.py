"""The job ``sweep_archive`` re-reads every location, repairs what it can, and fails when a person has to know."""

from pathlib import Path
from typing import Any

import pytest

from streamweave.catalog.tables import Instrument
from streamweave.instruments.instruments import delete_instrument

CONTENT = b"12345"


@pytest.fixture
def copies(lab: Any, orchestra: Any, microscope: Instrument) -> Path:
    """The folder of the archive with ten harvested files."""
    for number in range(10):
        lab.write(microscope, f"{number}.csv", CONTENT)
    orchestra.harvest(microscope.slug)
    return Path(lab.archive / "Microscope 01" / "share")


def damage(copies: Path, *numbers: int) -> None:
    for number in numbers:
        copy = copies / f"{number}.csv"
        copy.chmod(0o644)
        copy.write_bytes(b"12349")


def test_what_is_damaged_is_repaired_and_the_check_passes(orchestra: Any, copies: Path) -> None:
    damage(copies, 3)
    assert orchestra.sweep().success
    assert ((copies / "3.csv").read_bytes(), (copies / "3~v1r1.csv").read_bytes()) == (b"12349", CONTENT)
    assert orchestra.check()["fixity"].passed


def test_too_much_damage_fails_it_and_nothing_is_repaired(orchestra: Any, copies: Path) -> None:
    damage(copies, *range(7))
    assert "7 copies are damaged, missing or unreadable" in orchestra.complaint(orchestra.sweep())
    assert len(list(copies.iterdir())) == 10
    fixity = orchestra.check()["fixity"]
    assert not fixity.passed
    assert "released it" in fixity.description
    assert len(fixity.metadata["damaged"].records) == 7


def test_the_copies_of_a_deleted_instrument_are_swept_too(
    lab: Any, orchestra: Any, microscope: Instrument, copies: Path
) -> None:
    damage(copies, 3)
    with lab.sessions.begin() as session:
        delete_instrument(session, microscope.id)
    assert "Microscope 01: 0 damaged copies repaired, 1 not" in orchestra.complaint(orchestra.sweep())
