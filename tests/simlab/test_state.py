from pathlib import Path

import pytest

from simlab.errors import StateError
from simlab.laboratory import LaboratoryState, read_state, write_state


def test_what_was_remembered_is_read_again(tmp_path: Path) -> None:
    state = LaboratoryState(password="p", ports={"microscope_01": 4451})
    write_state(tmp_path / "state.json", state)
    assert read_state(tmp_path / "state.json") == state


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    write_state(tmp_path / "deep" / "state.json", LaboratoryState())
    assert (tmp_path / "deep" / "state.json").stat().st_mode & 0o777 == 0o600


def test_a_first_start_remembers_nothing_and_makes_up_a_password(tmp_path: Path) -> None:
    first, second = read_state(tmp_path / "none"), read_state(tmp_path / "none")
    assert first.ports == {}
    assert len(first.password) >= 16
    assert first.password != second.password


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(LaboratoryState(password="secret"))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"password": "p", "ports": {"microscope_01": "x"}}'])
def test_a_broken_file_is_named_not_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(StateError, match=r"state\.json"):
        read_state(path)
    assert path.read_text() == text
