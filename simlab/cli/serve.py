"""`simlab serve`: run the seed's laboratory until a signal ends it."""

from pathlib import Path
from typing import Annotated

import typer

from simlab.cli.foreground import say, until_a_signal, wait
from simlab.laboratory import Laboratory, run_laboratory
from simlab.manifest import manifest, write_manifest


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
            write_manifest(manifest_file, _describe(laboratory, root.absolute()))
        _announce(laboratory)
        wait()


def _describe(laboratory: Laboratory, storage_root: Path) -> dict[str, list[dict[str, object]]]:
    return manifest(
        [(one.instrument, one.server) for one in laboratory.instruments],
        username=laboratory.username,
        password=laboratory.password,
        storage_root=storage_root,
    )


def _announce(laboratory: Laboratory) -> None:
    for one in laboratory.instruments:
        say(f"{one.instrument.name}: {one.address} {one.folder}")
    say("ready")
