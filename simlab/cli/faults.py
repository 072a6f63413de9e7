"""`simlab faults` lists what can go wrong, `simlab fault NAME` lets it."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from simlab.cli.foreground import say, until_a_signal, wait
from simlab.faults import SCENARIOS, SHARE, Stage, scenario_called, sentence_of, server_options_for, set_stage
from simlab.instruments import burst, large_file

SMALL_FILES, SMALL_BYTES, LARGE_BYTES = 20, 4_096, 32 << 20


def faults() -> None:
    """List the scenarios, with a sentence each."""
    width = max(map(len, SCENARIOS))
    for name, scenario in SCENARIOS.items():
        say(f"{name:{width}}  {sentence_of(scenario)}")


def fault(
    name: Annotated[str, typer.Argument(help="One of those that `simlab faults` lists.")],
    folder: Annotated[Path, typer.Option(help="The shared folder; an empty one gets a few files.")],
    password: Annotated[str | None, typer.Option(envvar="SIMLAB_PASSWORD", help="[default: one made up]")] = None,
) -> None:
    """Serve a folder whose share has that fault, until SIGINT or SIGTERM; then the fault ends too."""
    scenario = scenario_called(name)
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        _write_some_files(folder)
    with (
        until_a_signal(),
        tempfile.TemporaryDirectory(prefix="simlab-fault-") as work,
        set_stage(folder, Path(work), password=password, options=server_options_for(scenario)) as stage,
    ):
        _announce(stage)
        say("press Enter to begin")
        sys.stdin.readline()  # at once where nobody can press anything
        with scenario(stage):
            say(sentence_of(scenario))
            say("ready")
            wait()


def _write_some_files(folder: Path) -> None:
    for step in (
        *burst(folder, "run_001", files=SMALL_FILES, size=SMALL_BYTES),
        *large_file(folder, "stack.raw", size=LARGE_BYTES),
    ):
        assert step.path.exists()


def _announce(stage: Stage) -> None:
    say(f"smb://{stage.host}:{stage.port}/{SHARE} {stage.folder}")
    say(f"user {stage.username}, password {stage.password}")
