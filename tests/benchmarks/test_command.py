"""What ``python -m benchmarks`` shows and writes, with a benchmark that measures nothing."""

import json
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks.errors import BenchmarkFailed
from benchmarks.report import Report, Table, Verdict, at_least, at_most
from benchmarks.setting import Setting


def measure(setting: Setting) -> Report:
    assert list(setting.work.iterdir()) == []
    table = Table("Paces", ["", "files/s"], [["ours", "2,000"]])
    goals = [at_least("pace", 3, 2, "times"), at_most("memory", 400, 300, "MiB"), at_least("listing", None, 2, "times")]
    return Report("pace", [table], goals, ["smbclient is missing"], {"n": 1})


def fail(setting: Setting) -> Report:
    raise BenchmarkFailed("nobody answers")


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setattr(command, "BENCHMARKS", {"pace": measure, "failing": fail})
    return CliRunner()


@pytest.fixture
def app() -> Typer:
    app = Typer()
    app.command()(command.main)
    return app


def test_goals_are_shown_and_everything_is_written(runner: CliRunner, app: Typer, tmp_path: Path) -> None:
    numbers, tables = tmp_path / "numbers.json", tmp_path / "tables.md"
    options = ["--work", str(tmp_path / "work"), "--json", str(numbers), "--markdown", str(tables)]
    result = runner.invoke(app, ["pace", *options])
    assert result.exit_code == 0
    assert "at least 2 times" in result.output
    assert "smbclient is missing" in result.output
    written = json.loads(numbers.read_text())
    goals = written["benchmarks"]["pace"]["goals"]
    assert [goal["verdict"] for goal in goals] == [Verdict.MET, Verdict.MISSED, Verdict.NOT_MEASURED]
    assert written["machine"]["cores"] >= 1
    assert "| ours | 2,000 |" in tables.read_text()
    assert list((tmp_path / "work").iterdir()) == []


def test_what_cannot_be_measured_is_told_in_a_sentence(runner: CliRunner, app: Typer, tmp_path: Path) -> None:
    result = runner.invoke(app, ["failing", "--work", str(tmp_path)])
    assert (result.exit_code, result.stderr) == (2, "failing can't be measured: nobody answers\n")


def test_an_unknown_name_is_refused(runner: CliRunner, app: Typer) -> None:
    assert "it is one of pace, failing" in runner.invoke(app, ["speed"]).output.replace("\n", " ")
