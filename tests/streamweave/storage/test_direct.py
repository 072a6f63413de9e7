import errno
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.storage import file_io
from streamweave.storage.file_io import BLOCK_BYTES, BlockWriter, direct_chunks, is_direct, make_direct

PAGE = mmap.PAGESIZE
Opened = Callable[[int], int]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Opens one and the same file."""
    handles: list[int] = []

    def open_file(flags: int) -> int:
        handles.append(os.open(tmp_path / "file", flags | os.O_CREAT, 0o600))
        return handles[-1]

    yield open_file
    for handle in handles:
        os.close(handle)


def content(length: int) -> bytes:
    return (b"".join(number.to_bytes(8) for number in range(PAGE // 8)) * (length // PAGE + 1))[:length]


def write(opened: Opened, *pieces: bytes) -> BlockWriter:
    writer = BlockWriter(opened(os.O_WRONLY | os.O_TRUNC))
    for piece in pieces:
        writer.write(piece)
    writer.finish()
    return writer


def read(opened: Opened, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join(map(bytes, direct_chunks(opened(os.O_RDONLY), offset, length)))


@pytest.mark.parametrize("length", [0, 1, PAGE, PAGE + 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + PAGE, 9 << 20])
def test_every_length_is_written_and_read_to_its_last_byte(opened: Opened, length: int) -> None:
    assert write(opened, content(length)).written_bytes == length
    assert read(opened) == content(length)


def test_pieces_of_any_lengths_make_up_whole_blocks(opened: Opened) -> None:
    pieces = [content(length) for length in (7, BLOCK_BYTES, 3 * PAGE, 1 << 20, 2 * BLOCK_BYTES + 5)]
    write(opened, *pieces)
    assert read(opened) == b"".join(pieces)


def test_only_what_has_left_for_the_device_counts_as_written(opened: Opened) -> None:
    writer = BlockWriter(opened(os.O_WRONLY))
    writer.write(content(BLOCK_BYTES + 5))
    assert writer.written_bytes == BLOCK_BYTES
    assert read(opened, 0, BLOCK_BYTES) == content(BLOCK_BYTES)
    writer.finish()
    assert writer.written_bytes == BLOCK_BYTES + 5


@given(offset=st.integers(0, 3 * PAGE), length=st.none() | st.integers(0, 3 * PAGE))
def test_a_span_is_read_wherever_it_begins_and_ends(
    tmp_path_factory: pytest.TempPathFactory, offset: int, length: int | None
) -> None:
    file = tmp_path_factory.getbasetemp() / "spans"
    file.write_bytes(content(2 * PAGE + 9))
    with file.open("rb") as opened:
        found = b"".join(map(bytes, direct_chunks(opened.fileno(), offset, length)))
    assert found == content(2 * PAGE + 9)[offset:][:length]


def test_a_file_system_without_direct_transfers_is_written_and_read_through_the_cache(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_io, "_DIRECT", 0)
    write(opened, content(BLOCK_BYTES + 5))
    assert read(opened, 3) == content(BLOCK_BYTES + 5)[3:]


def test_a_file_system_that_takes_the_flag_and_refuses_the_transfers_likewise(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(transfer: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        def transfer_or_refuse(handle: int, data: Any) -> int:
            if is_direct(handle):
                raise OSError(errno.EINVAL, "Invalid argument")
            return transfer(handle, data)

        return transfer_or_refuse

    monkeypatch.setattr(os, "write", refusing(os.write))
    monkeypatch.setattr(os, "readv", refusing(os.readv))
    write(opened, content(BLOCK_BYTES + 5))
    assert read(opened) == content(BLOCK_BYTES + 5)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_the_devices_own_errors_are_raised(opened: Opened, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(handle: int, data: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        write(opened, content(BLOCK_BYTES))


def test_where_the_flag_is_refused_the_file_stays_in_the_cache() -> None:
    with open(os.devnull, "rb") as file:
        make_direct(file.fileno())
        assert not is_direct(file.fileno())
