"""A number counts only for work that was done: what was not, has none."""

import filecmp
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.data import Dataset
from benchmarks.errors import BenchmarkFailed
from benchmarks.measured import Measured
from benchmarks.proof import expect_archived, expect_copies
from benchmarks.setting import Setting
from benchmarks.site import open_site


@dataclass
class Archived:
    """Three files, and an archive that they are to be in."""

    dataset: Dataset
    archive: Path
    environment: dict[str, str]
    work: Path

    def harvest(self) -> None:
        Measured.of_process("benchmarks.transfer.harvest_process", environment=self.environment, folder=self.work)

    def expect(self) -> None:
        expect_archived(self.dataset, self.environment["STREAMWEAVE_DATABASE_URL"], self.archive)


@pytest.fixture
def archived(setting: Setting) -> Iterator[Archived]:
    dataset = Dataset("small", "three files", setting.work / "share", 3, 100)
    archive = setting.work / "archive"
    with open_site(setting, [dataset]) as site, site.catalog(dataset, archive) as environment:
        yield Archived(dataset, archive, dict(environment), setting.work)


def test_an_archive_is_held_against_catalog_and_share(archived: Archived) -> None:
    with pytest.raises(BenchmarkFailed, match="0 of 3 files are archived"):
        archived.expect()
    archived.harvest()
    archived.expect()
    forged = next(path for path in archived.archive.rglob("well_01.dat"))
    forged.chmod(0o600)
    forged.write_bytes(bytes(100))
    filecmp.clear_cache()
    with pytest.raises(BenchmarkFailed, match="does not hold the bytes"):
        archived.expect()


def test_a_copy_that_was_cut_short_is_found(tmp_path: Path) -> None:
    dataset = Dataset("small", "two files", tmp_path / "share", 2, 100)
    dataset.build()
    expect_copies(dataset, dataset.paths(), dataset.folder)
    (dataset.folder / dataset.sample(1)[0]).write_bytes(bytes(99))
    with pytest.raises(BenchmarkFailed, match="was not copied in full"):
        expect_copies(dataset, dataset.paths(), dataset.folder)


def test_twenty_thousand_files_stand_in_421_folders(tmp_path: Path) -> None:
    dataset = Dataset("small", "many files", tmp_path, 20_000, 1)
    folders = {parent for path in dataset.paths() for parent in Path(path).parents}
    assert (len(set(dataset.paths())), len(folders), dataset.folders) == (20_000, 421, 421)
