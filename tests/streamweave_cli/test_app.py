"""What holds for all commands."""

from importlib.metadata import version

from typer.testing import CliRunner

from streamweave_cli.app import app


def test_the_version_is_shown() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"streamweave {version('streamweave')}\n")


def test_a_shell_completes_commands() -> None:
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout
    words = {"_STREAMWEAVE_COMPLETE": "complete_bash", "COMP_WORDS": "streamweave resto", "COMP_CWORD": "1"}
    completed = CliRunner().invoke(app, prog_name="streamweave", env=words)
    assert completed.stdout.split() == ["restore"]


def test_the_default_of_home_is_in_the_help() -> None:
    for command in ("up", "restore", "verify"):
        shown = " ".join(CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "300"}).stdout.split())
        assert "[default: (STREAMWEAVE_HOME, else .streamweave)]" in shown
