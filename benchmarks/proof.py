"""Proof that a number is right: what a contestant was timed for has really been done."""

import filecmp
import hashlib
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select

from benchmarks.data import Dataset
from benchmarks.errors import BenchmarkFailed
from benchmarks.site import SLUG
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, Transfer, TransferStatus, VersionState

HASHED_FILES = 200


def expect_copies(dataset: Dataset, paths: Iterable[str], destination: Path) -> None:
    """Raise ``BenchmarkFailed`` unless every one of ``paths`` was copied in full below ``destination``."""
    for path in paths:
        copy = destination / path
        if not copy.is_file() or copy.stat().st_size != dataset.file_bytes:
            raise BenchmarkFailed(f"{path} was not copied in full")


def expect_archived(dataset: Dataset, database_url: str, archive: Path, slug: str = SLUG) -> None:
    """Raise ``BenchmarkFailed`` unless an instrument's every file is catalogued, and archived with its very bytes."""
    proofs = _proofs(database_url, slug)
    expected = {f"{dataset.name}/{path}" for path in dataset.paths()}
    if proofs.keys() != expected:
        raise BenchmarkFailed(f"{len(proofs.keys() & expected)} of {len(expected)} files are archived")
    for number, (source_path, (destination_path, sha256)) in enumerate(proofs.items()):
        source = dataset.folder / source_path.removeprefix(f"{dataset.name}/")
        archived = archive / destination_path
        if not filecmp.cmp(source, archived, shallow=False):
            raise BenchmarkFailed(f"{archived} does not hold the bytes of {source_path}")
        if number < HASHED_FILES and _sha256(archived) != sha256:
            raise BenchmarkFailed(f"the catalog has another sha256 for {archived}")


def _proofs(database_url: str, slug: str) -> dict[str, tuple[str, str]]:
    """Where each archived file of an instrument is, and its sha256, as the catalog has it."""
    with open_catalog(database_url) as engine, catalog_sessions(engine)() as session:
        rows = session.execute(
            select(FileRecord.source_path, Transfer.destination_path, FileVersion.sha256)
            .join(FileVersion, FileVersion.file_id == FileRecord.id)
            .join(Transfer, Transfer.version_id == FileVersion.id)
            .join(Instrument, Instrument.id == FileRecord.instrument_id)
            .where(
                Instrument.slug == slug,
                FileVersion.state == VersionState.ARCHIVED,
                Transfer.status == TransferStatus.COMPLETED,
                Transfer.checksum_verified,
            )
        )
        return {source_path: (destination_path, sha256) for source_path, destination_path, sha256 in rows}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
