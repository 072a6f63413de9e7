"""simlab at a terminal: `serve` runs a laboratory, `produce` makes an instrument write.

`host` runs one instrument alone, and `manifest` describes the laboratory that is made of such hosts. `faults` lists
what can go wrong with a share, and `fault` serves one with which it does.

Exit codes: 0 done, or stopped by SIGINT or SIGTERM; 2 it can't be done as asked, with one sentence on standard error.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from simlab.errors import SimlabError
from simlab.faults import SCENARIOS, SHARE, Stage, scenario_called, sentence_of, server_options_for, set_stage
from simlab.host import SMB_PORT, Account, HostAddress, instrument_called, run_host
from simlab.instruments import Step, acquisition, burst, growing_file, large_file, renamed_file
from simlab.laboratory import Laboratory, run_laboratory
from simlab.manifest import as_json, write_manifest
from simlab.manifest import manifest as describe
from simlab.seed import SEED

app = typer.Typer(name="simlab", help="Simulated instruments on real SMB.", no_args_is_help=True, add_completion=False)

# from the environment: everyone on a machine sees the passwords on its command lines
USERNAME_VARIABLE, PASSWORD_VARIABLE = "SIMLAB_USERNAME", "SIMLAB_PASSWORD"

Username = Annotated[
    str, typer.Option(envvar=USERNAME_VARIABLE, help="The one user who is let in.", show_default=False)
]
Password = Annotated[
    str, typer.Option(envvar=PASSWORD_VARIABLE, help="Their password; give it as the variable.", show_default=False)
]


def main() -> None:
    """Run the command line, turning what can't be done into one sentence and exit code 2."""
    try:
        app(prog_name="simlab")
    except (SimlabError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


@app.command()
def serve(
    folder: Annotated[Path, typer.Option(help="Where the shared folders are, and are made.")],
    storage_root: Annotated[
        Path | None, typer.Option(help="Where the manifest's storage locations are. [default: FOLDER/../storage]")
    ] = None,
    manifest_file: Annotated[
        Path | None, typer.Option("--manifest", help="Describe the laboratory in this file once all answer.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="samba or impacket. [default: Samba where it is installed]")] = None,
) -> None:
    """Serve three simulated instruments over SMB until SIGINT or SIGTERM."""
    if manifest_file is not None:
        # its appearance says that every instrument answers
        manifest_file.unlink(missing_ok=True)
    with until_a_signal(), run_laboratory(folder, kind=kind, say=say) as laboratory:
        if manifest_file is not None:
            root = storage_root or folder.absolute().parent / "storage"
            write_manifest(manifest_file, _description(laboratory, root.absolute()))
        _announce_laboratory(laboratory)
        wait()


def _description(laboratory: Laboratory, storage_root: Path) -> dict[str, list[dict[str, object]]]:
    return describe(
        [(one.instrument, one.server) for one in laboratory.instruments],
        username=laboratory.username,
        password=laboratory.password,
        storage_root=storage_root,
    )


def _announce_laboratory(laboratory: Laboratory) -> None:
    for one in laboratory.instruments:
        say(f"{one.instrument.name}: {one.address} {one.folder}")
    say("ready")


@app.command()
def host(
    instrument: Annotated[str, typer.Argument(help="The instrument's slug: microscope_01, say.")],
    username: Username,
    password: Password,
    folder: Annotated[Path, typer.Option(help="The shared folder; it is made, and the seed's files in it.")],
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The TCP port.")] = SMB_PORT,
    interface: Annotated[
        str | None,
        typer.Option(help="Listen here too: a device, an address with prefix length, or 0.0.0.0 for everywhere."),
    ] = None,
) -> None:
    """Serve one simulated instrument over SMB until SIGINT or SIGTERM, on loopback by default."""
    simulated = instrument_called(instrument)
    with (
        until_a_signal(),
        run_host(simulated, folder, Account(username, password), port=port, interface=interface) as server,
    ):
        say(f"{simulated.name}: {interface or server.host}:{server.port}, share {simulated.share}, {folder}")
        say("ready")
        wait()


@app.command()
def manifest(
    username: Username,
    password: Password,
    storage_root: Annotated[Path, typer.Option(help="Where the storage locations are.")],
) -> None:
    """Print the manifest of the seed's instruments, each on the host of its name; it holds the password."""
    instruments = [(instrument, HostAddress(instrument.host)) for instrument in SEED]
    print(as_json(describe(instruments, username=username, password=password, storage_root=storage_root)))


SMALL_FILES, SMALL_BYTES, LARGE_BYTES = 20, 4_096, 32 << 20


@app.command()
def faults() -> None:
    """List the scenarios, with a sentence each."""
    width = max(map(len, SCENARIOS))
    for name, scenario in SCENARIOS.items():
        say(f"{name:{width}}  {sentence_of(scenario)}")


@app.command()
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


produce = typer.Typer(help="Make an instrument write into its folder.", no_args_is_help=True)
app.add_typer(produce, name="produce")

Name = Annotated[str | None, typer.Option(help="Name inside the folder. [default: one made of the time]")]
Rows = Annotated[int, typer.Option(min=0, help="Rows to write.")]
Files = Annotated[int, typer.Option(min=0, help="Files to write.")]
Size = Annotated[int, typer.Option("--bytes", min=0, help="Size of a file in bytes.")]
Pause = Annotated[float, typer.Option(min=0, help="Seconds between two steps.")]


@produce.callback()
def choose_folder(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, writable=True, help="The instrument's folder.")
    ],
) -> None:
    """Make an instrument write into its folder."""
    context.obj = folder


@produce.command()
def growing(context: typer.Context, name: Name = None, rows: Rows = 30, pause: Pause = 1.0) -> None:
    """Write a file that grows row by row."""
    _report(growing_file(context.obj, name or f"{_stamp()}.csv", rows=rows, pause_seconds=pause))


@produce.command()
def rename(context: typer.Context, name: Name = None, rows: Rows = 30, pause: Pause = 1.0) -> None:
    """Write a temporary file and rename it at the end."""
    _report(renamed_file(context.obj, name or f"{_stamp()}.csv", rows=rows, pause_seconds=pause))


@produce.command(name="burst")
def burst_of_files(
    context: typer.Context, name: Name = None, files: Files = 100, size: Size = 4096, pause: Pause = 0.0
) -> None:
    """Write many small files into a new folder."""
    _report(burst(context.obj, name or _stamp(), files=files, size=size, pause_seconds=pause))


@produce.command()
def large(context: typer.Context, name: Name = None, size: Size = 1_000_000_000, pause: Pause = 0.0) -> None:
    """Write one large file, 1 MiB at each step."""
    _report(large_file(context.obj, name or f"{_stamp()}.raw", size=size, pause_seconds=pause))


@produce.command(name="acquisition")
def acquisition_of_files(
    context: typer.Context,
    name: Name = None,
    files: Files = 30,
    size: Size = 4096,
    marker: Annotated[bool, typer.Option(help="Write done.txt at the end.")] = True,
    pause: Pause = 1.0,
) -> None:
    """Write many files that belong together into a new folder, and done.txt at the end."""
    _report(acquisition(context.obj, name or _stamp(), files=files, size=size, marker=marker, pause_seconds=pause))


def _report(steps: Iterable[Step]) -> None:
    for step in steps:
        print(f"{step.path} {step.size} bytes{', finished' if step.finished else ''}", flush=True)


def _stamp() -> str:
    return datetime.now(UTC).strftime("recording_%Y%m%dT%H%M%S")


@contextmanager
def until_a_signal() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the block, and say so."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both: whoever starts us in the background may have SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        say("stopped")


def wait() -> NoReturn:
    """Stay until a signal comes."""
    while True:
        # not signal.pause(): a signal that arrives just before it would go unnoticed until the next one
        time.sleep(1)


def say(line: str) -> None:
    """Print at once: whoever reads may be a program that waits for the line."""
    print(line, flush=True)
