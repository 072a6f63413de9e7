"""``python -m soak``: what it shows, writes, and ends with; with experiments that kill nobody."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from soak import __main__ as command
from soak.errors import SoakFailed
from soak.ledger import Ledger, Run
from soak.orders import BrokenDisk, Order, Point, order_of


def ledger_with(breaches: dict[str, tuple[str, ...]]) -> Callable[[Any], Ledger]:
    runs = [Run("before: publish", "again 1", 1, {}), Run("after: publish", "again 2", 1, breaches)]
    return lambda setting: Ledger("Kill points", "killed", runs, ["A note."])


def fail(setting: Any) -> Ledger:
    raise SoakFailed("nobody answers")


@contextmanager
def nowhere(*_: Any, **__: Any) -> Iterator[None]:
    yield None


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    experiments = {"sound": ledger_with({}), "broken": ledger_with({"lost": ("a.csv is gone",)}), "failing": fail}
    monkeypatch.setattr(command, "EXPERIMENTS", experiments)
    monkeypatch.setattr(command, "_setting", nowhere)
    app = Typer()
    app.command()(command.main)
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


def test_tables_are_shown_and_written(run: Callable[..., Any], tmp_path: Path) -> None:
    numbers, tables = tmp_path / "soak.json", tmp_path / "soak.md"
    result = run("sound", "--seed", "7", "--json", numbers, "--markdown", tables)
    assert (result.exit_code, "Nothing was lost." in result.output) == (0, True)
    assert "| before: publish | 1 | 1 | 0 |" in tables.read_text()
    assert "| all | 2 | 2 | 0 |" in tables.read_text()
    written = json.loads(numbers.read_text())
    assert written["options"]["seed"] == 7
    assert [each["again"] for each in written["experiments"]["Kill points"]["runs"]] == ["again 1", "again 2"]


def test_whatever_was_lost_is_told_with_the_way_to_repeat_it(run: Callable[..., Any]) -> None:
    result = run("broken", "--seed", "7")
    assert result.exit_code == 1
    assert "after: publish [again 2] lost: a.csv is gone" in result.output
    assert "seed 7 repeats it" in result.output


def test_a_soak_that_can_not_be_made_gives_no_verdict(run: Callable[..., Any]) -> None:
    result = run("failing")
    assert (result.exit_code, result.stderr) == (2, "there is no verdict: nobody answers\n")


def test_an_unknown_experiment_is_refused(run: Callable[..., Any]) -> None:
    result = run("luck")
    assert (result.exit_code, "'luck'" in result.output) == (2, True)


def test_an_order_arrives_as_it_was_given() -> None:
    order = Order(
        "url",
        "key",
        "slug",
        kill_at=Point("os:link", "after", 3),
        kill_after_seconds=0.2,
        broken_disk=BrokenDisk("/a", "EIO", 9),
        counted=("os:link",),
    )
    assert order_of(order.as_json()) == order
