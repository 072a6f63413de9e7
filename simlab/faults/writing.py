"""Instruments that hold files open for writing: a client of the same share, on a connection of its own."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smbprotocol.connection import Connection
from smbprotocol.open import CreateDisposition, FilePipePrinterAccessMask, ImpersonationLevel, Open
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from simlab.faults.stage import SHARE, Stage

SHARED_WITH_NOBODY, SHARED_WITH_ALL = 0x0, 0x7  # [MS-SMB2] 2.2.13: what others may do meanwhile
PATIENCE_SECONDS = 20


@contextmanager
def held_open(stage: Stage, file: Path, share_access: int) -> Iterator[Open]:
    """An SMB client has the file open for writing. It comes by the server's own port, not by the line."""
    connection = Connection(uuid.uuid4(), stage.host, stage.server.port)
    connection.connect(timeout=PATIENCE_SECONDS)
    try:
        session = Session(connection, stage.username, stage.password, require_encryption=False)
        session.connect()
        tree = TreeConnect(session, rf"\\{stage.host}\{SHARE}")
        tree.connect()
        opened = Open(tree, str(file.relative_to(stage.folder)).replace("/", "\\"))
        access = FilePipePrinterAccessMask.FILE_READ_DATA | FilePipePrinterAccessMask.FILE_WRITE_DATA
        opened.create(ImpersonationLevel.Impersonation, access, 0, share_access, CreateDisposition.FILE_OPEN, 0)
        yield opened
        opened.close()
    finally:
        connection.disconnect(close=False)


@contextmanager
def holds_a_file_open(stage: Stage) -> Iterator[None]:
    """The instrument holds the first file open for writing, and lets others read it."""
    with held_open(stage, stage.files()[0], SHARED_WITH_ALL):
        yield


@contextmanager
def locks_a_file(stage: Stage) -> Iterator[None]:
    """The instrument holds the first file open for writing, and lets nobody else open it."""
    with held_open(stage, stage.files()[0], SHARED_WITH_NOBODY):
        yield
