"""What only a real file system can show."""

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from bench import publish_one

from streamweave.errors import DestinationOccupied, PathUnusable, StorageError, StorageRefused, StorageUnavailable
from streamweave.storage import file_io, flushing
from streamweave.storage.base import NOT_LEGIBLE
from streamweave.storage.flushing import MANY
from streamweave.storage.marks import Mark
from streamweave.storage.posix import PosixStorage

MARK = Mark(UUID(int=1), UUID(int=2), datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def storage(base: Path) -> PosixStorage:
    storage = PosixStorage(base)
    storage.prepare(MARK, is_new=True)
    return storage


def stage(storage: PosixStorage, name: str, content: bytes = b"content") -> None:
    with storage.stage(name) as writer:
        writer.write(content)


def test_a_published_file_is_read_only_and_its_address_is_its_full_path(storage: PosixStorage, base: Path) -> None:
    stage(storage, "t1")
    publish_one(storage, "t1", "m/scan.tif")
    assert storage.address("m/scan.tif") == str(base / "m/scan.tif")
    assert stat.S_IMODE((base / "m/scan.tif").stat().st_mode) & 0o333 == 0


def test_the_mark_and_the_staging_area_are_where_they_are_documented(storage: PosixStorage, base: Path) -> None:
    stage(storage, "t1")
    assert (base / ".streamweave/location").read_text()
    assert (base / f".streamweave/incoming/{MARK.catalog_id}/t1.part").read_bytes() == b"content"


def test_versions_can_not_be_published_into_the_own_folder(storage: PosixStorage) -> None:
    stage(storage, "t1")
    with pytest.raises(StorageRefused, match="StreamWeave's own"):
        publish_one(storage, "t1", ".streamweave/location2")


def test_a_folder_that_is_a_link_is_not_entered(storage: PosixStorage, base: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (base / "microscope").symlink_to(tmp_path / "elsewhere")
    stage(storage, "t1")
    with pytest.raises(PathUnusable, match="link") as refusal:
        publish_one(storage, "t1", "microscope/scan.tif")
    assert refusal.value.part == 0
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_under_the_final_name_is_neither_replaced_nor_read(storage: PosixStorage, base: Path) -> None:
    (base / "scan.tif").symlink_to("/etc/hostname")
    stage(storage, "t1")
    with pytest.raises(DestinationOccupied):
        publish_one(storage, "t1", "scan.tif")
    with pytest.raises(StorageRefused, match="link"):
        list(storage.read("scan.tif"))
    assert list(storage.paths()) == []


def test_a_pipe_in_the_archive_is_refused_rather_than_waited_for(storage: PosixStorage, base: Path) -> None:
    os.mkfifo(base / "pipe")
    with pytest.raises(StorageRefused, match="not a file"):
        list(storage.read("pipe"))


def test_a_move_that_was_cut_short_is_finished_by_the_next_attempt(storage: PosixStorage, base: Path) -> None:
    stage(storage, "t1")
    os.link(base / f".streamweave/incoming/{MARK.catalog_id}/t1.part", base / "scan.tif")
    publish_one(storage, "t1", "scan.tif")
    assert storage.staged_names() == []
    assert (base / "scan.tif").read_bytes() == b"content"


def test_staging_anew_after_a_move_cut_short_leaves_the_published_file_alone(storage: PosixStorage, base: Path) -> None:
    stage(storage, "t1", b"published")
    os.link(base / f".streamweave/incoming/{MARK.catalog_id}/t1.part", base / "scan.tif")
    stage(storage, "t1", b"new")
    assert (base / "scan.tif").read_bytes() == b"published"


def refuse_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", link)


def refuse_exclusive_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    def renameat2(*args: object) -> None:
        raise OSError(errno.EINVAL, "no RENAME_NOREPLACE here")

    monkeypatch.setattr(file_io, "_renameat2", renameat2)


@pytest.mark.parametrize("exclusive_rename", [True, False], ids=["renameat2", "check-and-rename"])
def test_a_file_system_without_hard_links_never_overwrites_either(
    storage: PosixStorage, monkeypatch: pytest.MonkeyPatch, exclusive_rename: bool
) -> None:
    refuse_hard_links(monkeypatch)
    if not exclusive_rename:
        refuse_exclusive_rename(monkeypatch)
    stage(storage, "t1", b"first")
    publish_one(storage, "t1", "a/scan.tif")
    stage(storage, "t2", b"second")
    with pytest.raises(DestinationOccupied):
        publish_one(storage, "t2", "a/scan.tif")
    assert b"".join(storage.read("a/scan.tif")) == b"first"
    assert storage.staged_names() == ["t2"]


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, StorageUnavailable, "disk is full"),
        (errno.EDQUOT, StorageUnavailable, "quota"),
        (errno.EIO, StorageUnavailable, "error"),
        (errno.ESTALE, StorageUnavailable, "handle"),
        (errno.ETIMEDOUT, StorageUnavailable, "timed out"),
        (errno.EACCES, StorageRefused, "no permission"),
        (errno.EROFS, StorageRefused, "read-only"),
    ],
)
def test_what_the_system_reports_while_writing_is_told_with_the_place(
    storage: PosixStorage,
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[Exception],
    words: str,
) -> None:
    def write(handle: int, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(kind, match=words) as refusal, storage.stage("t1") as writer:
        writer.write(b"x")
    monkeypatch.undo()
    assert str(base) in str(refusal.value)
    assert storage.staged_names() == []


def test_a_full_disk_costs_only_the_small_files_that_do_not_fit(
    storage: PosixStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all = os.write

    def write(handle: int, data: bytes) -> int:
        if data == b"too much":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_all(handle, data)

    monkeypatch.setattr(os, "write", write)
    failed = storage.stage_whole({"t1": b"fits", "t2": b"too much", "t3": b"fits"})
    assert list(failed) == ["t2"]
    assert isinstance(failed["t2"], StorageUnavailable)
    assert sorted(storage.staged_names()) == ["t1", "t3"]


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[os.stat_result]:
    """Whatever is flushed for itself, as it was then."""
    told: list[os.stat_result] = []
    flush = os.fsync

    def fsync(handle: int) -> None:
        told.append(os.fstat(handle))
        flush(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return told


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that can't be flushed at once, or has told of an error when it was."""
    monkeypatch.setattr(flushing, "flush_file_system", lambda handle: False)


@pytest.fixture
def at_once(base: Path, monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """A file system that can be flushed at once; the files that stood in the location whenever it was."""
    flushed: list[set[str]] = []

    def flush_file_system(handle: int) -> bool:
        assert os.path.samestat(os.fstat(handle), (base / f".streamweave/incoming/{MARK.catalog_id}").stat())
        flushed.append({path.name for path in base.rglob("*.part")})
        return True

    def fsync(handle: int) -> None:
        raise AssertionError("flushed once more")

    monkeypatch.setattr(flushing, "flush_file_system", flush_file_system)
    monkeypatch.setattr(os, "fsync", fsync)
    return flushed


@pytest.mark.usefixtures("one_by_one")
def test_every_small_file_is_flushed(storage: PosixStorage, flushed: list[os.stat_result]) -> None:
    storage.stage_whole({f"t{size}": b"x" * size for size in range(1, 40)})
    assert sorted(each.st_size for each in flushed if stat.S_ISREG(each.st_mode)) == list(range(1, 40))


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("number", [3, 40])
def test_a_small_file_that_does_not_reach_the_device_is_not_staged(
    storage: PosixStorage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    flush = os.fsync

    def fsync(handle: int) -> None:
        if os.fstat(handle).st_size == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        flush(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    failed = storage.stage_whole({f"t{size}": b"x" * size for size in range(1, number + 1)})
    assert {name: type(error) for name, error in failed.items()} == {"t2": StorageUnavailable}
    assert sorted(storage.staged_names()) == sorted(f"t{size}" for size in range(1, number + 1) if size != 2)


def test_many_small_files_are_flushed_at_once_when_all_are_written(
    storage: PosixStorage, at_once: list[set[str]]
) -> None:
    names = [f"t{number}" for number in range(MANY)]
    assert storage.stage_whole(dict.fromkeys(names, b"content")) == {}
    assert at_once == [{f"{name}.part" for name in names}]


def test_a_few_small_files_do_not_take_along_what_others_wrote(
    storage: PosixStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flush_file_system(handle: int) -> bool:
        raise AssertionError("everything was flushed")

    monkeypatch.setattr(flushing, "flush_file_system", flush_file_system)
    assert storage.stage_whole({f"t{number}": b"content" for number in range(MANY - 1)}) == {}


def test_folders_are_flushed_one_by_one_however_many(
    storage: PosixStorage, base: Path, flushed: list[os.stat_result]
) -> None:
    names = [f"t{number}" for number in range(MANY)]
    storage.stage_whole(dict.fromkeys(names, b"content"))
    storage.publish_many({name: f"{name}/scan.tif" for name in names})
    flushed.clear()
    storage.make_durable([f"{name}/scan.tif" for name in names])
    folders = [base, base / f".streamweave/incoming/{MARK.catalog_id}", *(base / name for name in names)]
    assert sorted(each.st_ino for each in flushed) == sorted(folder.stat().st_ino for folder in folders)


def test_short_writes_are_continued(storage: PosixStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write_all(handle, data[:3]))
    stage(storage, "t1", b"written three bytes at a time")
    monkeypatch.undo()
    assert b"".join(storage.read_staged("t1")) == b"written three bytes at a time"


def test_durable_means_that_every_folder_up_to_the_base_was_flushed(
    storage: PosixStorage, base: Path, flushed: list[os.stat_result]
) -> None:
    stage(storage, "t1")
    publish_one(storage, "t1", "a/b/scan.tif")
    flushed.clear()
    storage.make_durable(["a/b/scan.tif"])
    up = {base.stat().st_ino, (base / "a").stat().st_ino, (base / "a/b").stat().st_ino}
    assert up <= {each.st_ino for each in flushed}
    flushed.clear()
    storage.make_durable(["a/b/scan.tif"])
    again = [(base / "a/b").stat().st_ino, (base / f".streamweave/incoming/{MARK.catalog_id}").stat().st_ino]
    assert sorted(each.st_ino for each in flushed) == sorted(again)


def test_a_location_that_went_away_is_refused_everywhere_rather_than_empty(storage: PosixStorage, base: Path) -> None:
    base.rename(base.with_name("moved"))
    base.mkdir()
    for question in (
        lambda: list(storage.paths()),
        lambda: storage.exists("a"),
        storage.staged_names,
        lambda: stage(storage, "t1"),
    ):
        with pytest.raises(StorageRefused, match="is the disk mounted"):
            question()


def test_a_place_where_we_can_not_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageRefused, match=str(tmp_path / "file")):
        PosixStorage(tmp_path / "file" / "archive").prepare(MARK, is_new=True)
    with pytest.raises((StorageRefused, StorageUnavailable)):
        PosixStorage(Path("/proc/archive")).prepare(MARK, is_new=True)


def test_a_head_that_was_spoilt_lets_every_journal_be_looked_at(storage: PosixStorage, tmp_path: Path) -> None:
    journal = storage.journal(UUID(int=7))
    journal.append("2026-03-01/aaaa", 0, b"first\n")
    (head,) = tmp_path.rglob("head")
    for content in (b"", b"\0" * 128, b"2026-03-01/bbbb 7"):
        head.write_bytes(content)
        assert journal.head() == NOT_LEGIBLE
    head.unlink()
    assert journal.head() == NOT_LEGIBLE


def test_a_location_that_is_not_mounted_has_no_journals_to_speak_of(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    with pytest.raises(StorageError):
        PosixStorage(tmp_path / "archive").journal(UUID(int=7)).head()
