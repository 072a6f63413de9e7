"""Names from shares reach no terminal as they are, whichever command shows them."""

import io
from datetime import date

import pytest
from rich.console import Console
from typer.testing import CliRunner

from streamweave.catalog.tables import VersionState
from streamweave.harvest.progress import FileOutcome, HarvestReport
from streamweave_cli.app import app
from streamweave_cli.harvest import _table
from streamweave_cli.log_mux import LogMux

NAME = "scan[/red]\x1b[31m\r\u202efdp.exe\x9b2J"
SHOWN = r"scan[/red]\x1b[31m\r\u202efdp.exe\x9b2J"


def test_a_harvests_table_shows_them_escaped() -> None:
    report = HarvestReport()
    report.add(FileOutcome(f"microscope/{NAME}", date(2026, 3, 2), VersionState.FAILED, 1, f"because of {NAME}"))
    output = io.StringIO()
    Console(file=output, force_terminal=True, color_system=None, width=200).print(_table(report))
    assert f"microscope/{SHOWN}" in output.getvalue()
    assert f"because of {SHOWN}" in output.getvalue()
    assert not set(output.getvalue()) & set("\r\u202e\x9b")


def test_a_command_that_is_refused_says_so_in_one_printable_sentence(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMWEAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("STREAMWEAVE_ENCRYPTION_KEYS", "q4tmAQJJq5gPzGqmUzNQ6E0-8ZVMCBPVkmbqzSg3K7A=")
    result = CliRunner().invoke(app, ["harvest", NAME])
    assert (result.exit_code, result.stderr) == (2, f"Instrument {SHOWN} not found\n")


def test_what_programs_say_may_set_colours_and_nothing_else() -> None:
    output = io.StringIO()
    with LogMux(Console(file=output, force_terminal=True, color_system="standard", width=200)) as relay:
        relay.say("\x1b[32mready\x1b[0m")
        relay.say(f"\x1b[2J{NAME}")
    first, second = output.getvalue().splitlines()
    assert "32mready\x1b[0m" in first
    assert r"\x1b[2Jscan[/red]" in second
    assert not set(second) & set("\r\u202e\x9b")
