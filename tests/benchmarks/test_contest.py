"""Fairness: everyone has as many turns, and each round begins with another contestant."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.contest import FEW_FILES, Contestant, Turn, hold
from benchmarks.errors import BenchmarkFailed
from benchmarks.programs import run_to_its_end
from benchmarks.setting import Setting


def test_contestants_take_turns_in_rotated_order(setting: Setting) -> None:
    turns: list[str] = []

    def contestant(name: str) -> Contestant:
        def take_turn(destination: Path) -> Turn:
            assert list(destination.iterdir()) == []
            (destination / "left behind").touch()
            turns.append(name)
            return Turn(seconds=len(turns), files=10, bytes=10 << 20, cpu_seconds=0)

        return Contestant(name, take_turn)

    source = setting.work / "source"
    source.mkdir()
    results = hold(replace(setting, rounds=3), "a contest", source, list(map(contestant, "abc")))
    assert "".join(turns) == "abcbcacab"
    assert results.median("a", lambda turn: turn.seconds) == 6
    assert results.ratio("a", "b", lambda turn: turn.seconds) == 6 / 4
    assert results.ratio("a", "nobody", lambda turn: turn.seconds) is None


@pytest.mark.parametrize(("written", "kept"), [(FEW_FILES, 0), (FEW_FILES + 1, 2)])
def test_many_files_are_kept_so_that_their_deletion_burdens_nobody(setting: Setting, written: int, kept: int) -> None:
    source = setting.work / "source"
    source.mkdir()
    contestants = [Contestant(name, lambda _: Turn(1, written, 1, 1)) for name in "ab"]
    hold(replace(setting, rounds=1), "a contest", source, contestants, written=written)
    assert len(list(setting.work.glob("destination_*"))) == kept


def test_a_program_that_fails_has_no_number_but_the_last_words() -> None:
    with pytest.raises(BenchmarkFailed, match="exit code 3: no such share"):
        run_to_its_end(["sh", "-c", "echo no such share; exit 3"])


def test_a_program_costs_its_processor_time() -> None:
    cost = run_to_its_end(["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"])
    assert cost.cpu_seconds > 0
