"""An instrument that writes over SMB while we probe and copy, as fast as we can: it never notices.

The writer is another client with a connection of its own. It opens, appends, opens anew with everybody or only readers
allowed beside it, renames and deletes, and every one of its calls must succeed.
"""

import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
from smbprotocol.exceptions import SMBException
from smbprotocol.file_info import FileDispositionInformation, FileRenameInformation
from smbprotocol.open import (
    CreateDisposition,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2SetInfoRequest,
)

from fakes.memory_storage import MemoryStorage
from simlab.faults.files import connected_share
from streamweave.errors import FileChanged, SourceFileError
from streamweave.harvest.claims import Claim
from streamweave.harvest.copy_verify import copy_proven
from streamweave.sources.base import SourceFile
from streamweave.sources.smb import SmbAddress

READERS = ShareAccess.FILE_SHARE_READ
EVERYBODY = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE
ACCESS = (
    FilePipePrinterAccessMask.FILE_READ_DATA
    | FilePipePrinterAccessMask.FILE_WRITE_DATA
    | FilePipePrinterAccessMask.DELETE
)
RECORDINGS = 60
ROWS = 4


def connected(address: SmbAddress) -> AbstractContextManager[Any]:
    """The share as another client has it."""
    return connected_share(address.host, address.port, address.share, address.username, address.password)


def opened(tree: Any, path: str, disposition: int, sharing: int) -> Any:
    file = Open(tree, path)
    file.create(ImpersonationLevel.Impersonation, ACCESS, 0, sharing, disposition, create_options=0)
    return file


def set_info(file: Any, info: Any) -> None:
    request = SMB2SetInfoRequest()
    request["info_type"] = 1  # SMB2_0_INFO_FILE
    request["file_info_class"] = info.INFO_CLASS
    request["file_id"] = file.file_id
    request["buffer"] = info
    connection = file.connection
    connection.receive(
        connection.send(request, file.tree_connect.session.session_id, file.tree_connect.tree_connect_id)
    )


def record(tree: Any, folder: str, number: int, sharing: int) -> None:
    """One recording: made, written row by row with the file opened anew for each, renamed, some removed."""
    path = f"{folder}\\{number:03}.tmp"
    opened(tree, path, CreateDisposition.FILE_CREATE, sharing).close()
    for row in range(ROWS):
        file = opened(tree, path, CreateDisposition.FILE_OPEN, sharing)
        file.write(b"x" * 1_000, row * 1_000)
        file.close()
    file = opened(tree, path, CreateDisposition.FILE_OPEN, sharing)
    rename = FileRenameInformation()
    rename["file_name"] = f"{folder}\\{number:03}.raw"
    set_info(file, rename)
    if number % 3 == 0:
        removal = FileDispositionInformation()
        removal["delete_pending"] = True
        set_info(file, removal)
    file.close()


def record_all(address: SmbAddress, sharing: int, done: threading.Event, failures: Counter[str]) -> None:
    folder = address.base_below_share.strip("/").replace("/", "\\")
    try:
        with connected(address) as tree:
            for number in range(RECORDINGS):
                try:
                    record(tree, folder, number, sharing)
                except SMBException as error:
                    failures[str(error)] += 1
    finally:
        done.set()


def probe(source: Any, files: list[SourceFile]) -> int:
    for file in files:
        source.has_open_writer(file.source_path)
    return len(files)


def copy_whole(source: Any, files: list[SourceFile]) -> int:
    return sum(1 for _ in source.read_whole(files))


def copy_in_pieces(source: Any, files: list[SourceFile]) -> int:
    for file in files:
        with source.open(file.source_path) as opened_file:
            list(opened_file.chunks())
    return len(files)


@pytest.mark.parametrize(
    ("disturb", "sharing"),
    [(probe, EVERYBODY), (probe, READERS), (copy_whole, READERS), (copy_in_pieces, READERS)],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_writer_never_notices(
    samba_bench: Any,
    disturb: Callable[[Any, list[SourceFile]], int],
    sharing: int,
    until: Callable[[Callable[[], bool]], None],
) -> None:
    source, done, failures, times = samba_bench.source(), threading.Event(), Counter[str](), 0
    writer = threading.Thread(target=record_all, args=(samba_bench.address, sharing, done, failures))
    writer.start()
    while not done.is_set():
        files = [file for listing in source.listings() for file in listing.files]
        for file in files[-3:]:
            try:
                times += disturb(source, [file])
            except SourceFileError:
                continue  # gone or held for a moment: the next round looks anew
    writer.join()
    source.close()
    assert failures == {}
    assert times > 0
    # A file that was removed while we read it goes with our handle, which the server closes after it has answered.
    until(lambda: len(list(samba_bench.folder.iterdir())) == RECORDINGS - RECORDINGS // 3)


def claim_of(path: str, content: bytes) -> Claim:
    """What stood of a file at our last look."""
    ids = [uuid.uuid4() for _ in range(5)]
    day = datetime(2026, 3, 2, 11, tzinfo=UTC)
    return Claim(*ids, path, len(content), day, day.date(), "a.log", 1, 0, None, is_unfinished=True)


def test_what_stood_of_a_file_is_copied_while_it_grows_and_not_while_it_is_rewritten(samba_bench: Any) -> None:
    stood = bytes(range(256)) * 8_000
    samba_bench.write("a.log", stood)
    path, source, storage = f"{samba_bench.base}/a.log", samba_bench.source(), MemoryStorage()
    with connected(samba_bench.address) as tree:
        writer = opened(tree, samba_bench.address.path_on_share(path), CreateDisposition.FILE_OPEN, EVERYBODY)
        ends = [len(stood)]

        def append(_: int) -> None:
            writer.write(b"one row more", ends[0])
            ends[0] += 12

        claim = claim_of(path, stood)
        digest = copy_proven(source, storage, claim, append)
        assert (digest.size_bytes, digest.sha256) == (len(stood), hashlib.sha256(stood).hexdigest())
        assert b"".join(storage.read_staged(claim.staged_name)) == stood
        assert (samba_bench.folder / "a.log").stat().st_size == ends[0] > len(stood)

        def count(_: int) -> None:
            append(_)
            writer.write(ends[0].to_bytes(8, "big"), 0)

        with pytest.raises(FileChanged, match="rewritten while it was copied"):
            copy_proven(source, storage, claim_of(path, stood), count)
        writer.close()
