"""When all of a file system is flushed with one call."""

import ctypes
import errno
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamweave.storage import flushing
from streamweave.storage.flushing import RELIABLE, SINCE, flush_file_system


def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, device: int) -> None:
    """Have the system's table say that a file system of this kind is mounted from a device, and others beside it."""
    number = f"{os.major(device)}:{os.minor(device)}"
    table = tmp_path / "mountinfo"
    table.write_bytes(
        b"22 27 0:21 / /proc rw,nosuid shared:13 - proc proc rw\n"
        + f"27 1 {number} / /data\\040of\\040all rw,relatime shared:1 master:4 - {kind} /dev/mapper/data rw\n".encode()
        + b"30 27 0:98 / /odd\rname rw - tmpfs tmpfs rw\n"
        + b"31 27 0:99 / /caf\xe9 rw - nfs4 server:/ext4 rw\n"
    )
    monkeypatch.setattr(flushing, "MOUNTS", table)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


@pytest.fixture
def is_new_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "release", lambda: "6.1.0-18-amd64")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The handles that the system was asked to flush the file systems of; it answers that it did."""
    handles: list[int] = []

    class System:
        def syncfs(self, handle: int) -> int:
            handles.append(handle)
            return 0

    monkeypatch.setattr(ctypes, "CDLL", lambda name: System())
    return handles


def test_this_systems_own_file_system_is_flushed_if_it_is_one_of_those(folder: int, tmp_path: Path) -> None:
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], check=True, capture_output=True, text=True).stdout
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    is_reliable = kind.strip().replace("ext2/ext3", "ext4").encode() in RELIABLE and release >= SINCE
    assert flush_file_system(folder) == is_reliable


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_file_system_of_a_known_kind_is_flushed_at_once(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int], is_new_linux: None, kind: str
) -> None:
    mounts(tmp_path, monkeypatch, kind, os.fstat(folder).st_dev)
    assert flush_file_system(folder)
    assert asked == [folder]


def test_a_file_system_that_has_broken_down_is_not_relied_on(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int], is_new_linux: None
) -> None:
    def fsync(handle: int) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    mounts(tmp_path, monkeypatch, "ext4", os.fstat(folder).st_dev)
    monkeypatch.setattr(os, "fsync", fsync)
    assert not flush_file_system(folder)
    assert asked == [folder]


def test_a_system_that_does_not_tell_what_is_mounted_is_not_relied_on(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int], is_new_linux: None
) -> None:
    monkeypatch.setattr(flushing, "MOUNTS", tmp_path / "nothing")
    assert not flush_file_system(folder)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "overlay", "tmpfs", "ext3", "ext"])
def test_others_are_not_relied_on(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int], is_new_linux: None, kind: str
) -> None:
    mounts(tmp_path, monkeypatch, kind, os.fstat(folder).st_dev)
    assert not flush_file_system(folder)
    assert asked == []


def test_one_that_is_not_in_the_table_is_not_relied_on(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int], is_new_linux: None
) -> None:
    mounts(tmp_path, monkeypatch, "ext4", os.makedev(259, 7))
    assert not flush_file_system(folder)


@pytest.mark.parametrize(
    ("system", "release", "is_relied_on"),
    [
        ("Linux", "5.14.0-427.el9.x86_64", False),
        ("Linux", "5.17.0", True),
        ("Linux", "6.18.44-abc-v7", True),
        ("Linux", "10.0", True),
        ("Linux", "unheard of", False),
        ("Darwin", "23.4.0", False),
    ],
)
def test_a_system_that_does_not_tell_of_every_error_is_not_relied_on(
    folder: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[int],
    system: str,
    release: str,
    is_relied_on: bool,
) -> None:
    mounts(tmp_path, monkeypatch, "ext4", os.fstat(folder).st_dev)
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "release", lambda: release)
    assert flush_file_system(folder) == is_relied_on


def test_an_error_is_told_as_uncertain(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new_linux: None
) -> None:
    class System:
        def syncfs(self, _handle: int) -> int:
            return -1

    mounts(tmp_path, monkeypatch, "ext4", os.fstat(folder).st_dev)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: System())
    assert not flush_file_system(folder)


def test_a_system_without_the_call_is_not_relied_on(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new_linux: None
) -> None:
    mounts(tmp_path, monkeypatch, "ext4", os.fstat(folder).st_dev)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not flush_file_system(folder)
