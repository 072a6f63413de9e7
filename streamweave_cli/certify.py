"""`streamweave certify`: may this be deleted at the source?

Exit codes: 0 it is safe, 1 it is not, or it is gone already; 2 it can't be said as asked.
"""

import json
import os
import pwd
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from sqlalchemy import select

from streamweave.catalog.tables import FileRecord, Instrument
from streamweave.errors import InvalidInput, NothingKnown
from streamweave.facility import Facility, facility_of
from streamweave.preservation.certificates.archive_check import Rereader
from streamweave.preservation.certificates.document import Certificate, Signer, lines_of, signer_of
from streamweave.preservation.certificates.issue import Issuer
from streamweave.preservation.certificates.judgement import Verdict
from streamweave.printable import printable
from streamweave_cli.harvest import SlugArgument, instrument_named
from streamweave_cli.running_system import HomeOption, settings_of
from streamweave_cli.terminal import one_sentence

MUST_STAY = 1


def certify(
    slug: SlugArgument,
    path: Annotated[
        str | None,
        typer.Argument(metavar="[PATH]", help="A file or folder, written like a source_path: the share's name first."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the certificate and its signature as JSON.")] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="A new folder for the certificate, its signature, key and manifest.")
    ] = None,
    reread_source: Annotated[
        bool, typer.Option("--reread-source", help="Read the files again at the source first.")
    ] = False,
    reread_archive: Annotated[
        bool, typer.Option("--reread-archive", help="Read the archived copies again first.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Say whether a file, a folder or an instrument is safe to delete at the source, with the proof, or why not."""
    with one_sentence(), closing(facility_of(settings := settings_of(home))) as facility:
        signer = signer_of(settings.certificate_key.get_secret_value())
        instrument = instrument_named(facility, slug)
        rereader = Rereader(facility, instrument, source=reread_source, archive=reread_archive, on_file=_report_reading)
        with _manifest(save) as manifest, rereader if reread_source or reread_archive else nullcontext() as active:
            issuer = Issuer(facility.sessions, facility.open_marked, signer, facility.now)
            wanted = path.rstrip("/") if path else None
            try:
                certificate = issuer.issue(
                    instrument, issued_to=_account(), path=wanted, rereader=active, manifest=manifest
                )
            except NothingKnown as error:
                if meant := _path_with_share(facility, instrument, wanted):
                    raise InvalidInput("path", f"{error}; paths begin with the share's name: {meant!r}?") from error
                raise
        if save:
            _save(save, certificate, signer)
    _show(certificate, as_json=as_json)
    if certificate.verdict != Verdict.SAFE:
        raise typer.Exit(MUST_STAY)


def _path_with_share(facility: Facility, instrument: Instrument, path: str | None) -> str | None:
    """The path below the instrument's share, or base folder, if a file is known at or below it."""
    share = instrument.cifs_share
    base = f"{share}/{instrument.cifs_base_path.strip('/')}".rstrip("/")
    with facility.sessions() as session:
        for meant in dict.fromkeys(f"{folder}/{path.lstrip('/')}" for folder in (share, base)) if path else ():
            at_or_below = (FileRecord.source_path == meant) | FileRecord.source_path.startswith(
                f"{meant}/", autoescape=True
            )
            known = select(FileRecord.id).where(FileRecord.instrument_id == instrument.id, at_or_below)
            if session.scalar(known.limit(1)):
                return meant
    return None


def _account() -> str:
    """Who asks: an account of this machine, by its number where it has no name, as in a container."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"{name} at {socket.gethostname()}"


def _report_reading(path: str) -> None:
    typer.echo(f"reading {printable(path)}", err=True)


@contextmanager
def _manifest(folder: Path | None) -> Iterator[BinaryIO | None]:
    if folder is None:
        yield None
        return
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise InvalidInput("--save", f"{folder} exists already: name a new folder") from error
    except OSError as error:
        raise InvalidInput("--save", f"{folder} can't be made: {error.strerror}") from error
    try:
        with (folder / "manifest.jsonl").open("wb") as manifest:
            yield manifest
    except BaseException:
        shutil.rmtree(folder)
        raise


def _save(folder: Path, certificate: Certificate, signer: Signer | None) -> None:
    """What others need to check it: the exact bytes, their signature, and our public key."""
    (folder / "certificate.json").write_bytes(certificate.content)
    if signer and certificate.signature:
        (folder / "certificate.sig").write_bytes(certificate.signature.value)
        (folder / "public-key.pem").write_text(signer.public_key_pem)


def _show(certificate: Certificate, *, as_json: bool) -> None:
    lines = [json.dumps(certificate.as_json(), indent=2, ensure_ascii=True)] if as_json else lines_of(certificate)
    typer.echo("\n".join(lines))
