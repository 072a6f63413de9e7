"""Faults that files show: on the share itself, by the instrument that writes them, or in their names."""

import os
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from smbprotocol.connection import Connection
from smbprotocol.open import CreateDisposition, FilePipePrinterAccessMask, ImpersonationLevel, Open
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from simlab.faults.line import once_passed, unharmed
from simlab.faults.stage import SHARE, Stage

APPENDED = b"and one more row\n" * 4_000
KEPT_OF_TEN = 1
OTHER_BYTES = bytes(reversed(range(256)))


@contextmanager
def denies_one_file(stage: Stage) -> Iterator[None]:
    """The account may not read the first file; served by another user than root, whom nothing is denied."""
    file = stage.files()[0]
    mode = file.stat().st_mode
    file.chmod(0)
    try:
        yield
    finally:
        file.chmod(mode)


@contextmanager
def comes_back_empty(stage: Stage) -> Iterator[None]:
    """The share is there, and empty, as the mount point of a disk that isn't mounted is."""
    with _aside(stage, sorted(stage.folder.iterdir())):
        yield


@contextmanager
def comes_back_shrunken(stage: Stage) -> Iterator[None]:
    """Of ten files one is left on the share."""
    with _aside(stage, [file for number, file in enumerate(stage.files()) if number % 10 >= KEPT_OF_TEN]):
        yield


@contextmanager
def _aside(stage: Stage, what: Iterable[Path]) -> Iterator[None]:
    aside = stage.folder.with_name(f"{stage.folder.name}.aside")
    moved = []
    for place in what:
        away = aside / place.relative_to(stage.folder)
        away.parent.mkdir(parents=True, exist_ok=True)
        place.rename(away)
        moved.append((away, place))
    try:
        yield
    finally:
        for away, place in moved:
            away.rename(place)


@contextmanager
def swaps_a_content(stage: Stage) -> Iterator[None]:
    """The first file gets another content of the same size, and its old mtime; it keeps them."""
    file = stage.files()[0]
    shown = file.stat()
    with file.open("r+b") as content:
        old = content.read()
        content.seek(0)
        content.write(old.translate(OTHER_BYTES))
    os.utime(file, ns=(shown.st_atime_ns, shown.st_mtime_ns))
    yield


@contextmanager
def _during_copy(stage: Stage, act: Callable[[Path], None]) -> Iterator[None]:
    largest = stage.largest()
    stage.line.damage = once_passed(stage.half_of_the_largest(), lambda: act(largest))
    try:
        yield
    finally:
        stage.line.damage = unharmed


@contextmanager
def appends_during_copy(stage: Stage) -> Iterator[None]:
    """The instrument appends to the largest file when half of it has been copied."""

    def append(file: Path) -> None:
        with file.open("ab") as content:
            content.write(APPENDED)

    with _during_copy(stage, append):
        yield


@contextmanager
def rewrites_during_copy(stage: Stage) -> Iterator[None]:
    """The instrument writes the largest file anew, as long as before, when half of it has been copied."""

    def rewrite(file: Path) -> None:
        file.write_bytes(file.read_bytes().translate(OTHER_BYTES))

    with _during_copy(stage, rewrite):
        yield


@contextmanager
def renames_during_copy(stage: Stage) -> Iterator[None]:
    """The instrument renames the largest file when half of it has been copied."""
    with _during_copy(stage, lambda file: os.rename(file, file.with_name(f"renamed {file.name}"))):
        yield


@contextmanager
def deletes_during_copy(stage: Stage) -> Iterator[None]:
    """Somebody deletes the largest file when half of it has been copied."""
    with _during_copy(stage, os.unlink):
        yield


SHARED_WITH_NOBODY, SHARED_WITH_ALL = 0x0, 0x7  # [MS-SMB2] 2.2.13: what others may do meanwhile
PATIENCE_SECONDS = 20


@contextmanager
def connected_share(host: str, port: int, share: str, username: str, password: str) -> Iterator[TreeConnect]:
    """A share as one more SMB client has it, on a connection of its own."""
    connection = Connection(uuid.uuid4(), host, port)
    connection.connect(timeout=PATIENCE_SECONDS)
    try:
        session = Session(connection, username, password, require_encryption=False)
        session.connect()
        tree = TreeConnect(session, rf"\\{host}\{share}")
        tree.connect()
        yield tree
    finally:
        connection.disconnect(close=False)


@contextmanager
def held_open(stage: Stage, file: Path, share_access: int) -> Iterator[Open]:
    """An SMB client has the file open for writing. It comes by the server's own port, not by the line."""
    with connected_share(stage.host, stage.server.port, SHARE, stage.username, stage.password) as tree:
        opened = Open(tree, str(file.relative_to(stage.folder)).replace("/", "\\"))
        access = FilePipePrinterAccessMask.FILE_READ_DATA | FilePipePrinterAccessMask.FILE_WRITE_DATA
        opened.create(ImpersonationLevel.Impersonation, access, 0, share_access, CreateDisposition.FILE_OPEN, 0)
        yield opened
        opened.close()


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


HOUR = 3_600.0
AHEAD_HOURS = 50.0
JUMPS_HOURS = (0.0, 9.5, -300_000.0, 40.0, -9.5)
"""By how far each file's clock is off, one after the other; the third was set at the factory, decades ago."""


def _set_times(stage: Stage, hours: Iterator[float]) -> None:
    for file, off in zip(stage.files(), hours, strict=False):
        wrong = time.time() + off * HOUR
        os.utime(file, (wrong, wrong))


@contextmanager
def clock_ahead(stage: Stage) -> Iterator[None]:
    """The instrument's clock is 50 hours ahead, as all its files show; they stay so."""
    _set_times(stage, (AHEAD_HOURS for _ in stage.files()))
    yield


@contextmanager
def clock_jumps(stage: Stage) -> Iterator[None]:
    """The instrument's clock jumps from file to file: hours on, hours back, and decades back; they stay so."""
    _set_times(stage, (JUMPS_HOURS[number % len(JUMPS_HOURS)] for number, _ in enumerate(stage.files())))
    yield


FOLDER = "hard names"
CROWDED = "crowded"
CROWD = 100_000

_LONG_FOLDERS = "/".join(f"{number:02} {'a folder with a long name ' * 3}".strip() for number in range(11))

NAMES = (
    unicodedata.normalize("NFC", "Zürich.csv"),
    unicodedata.normalize("NFD", "Zürich.csv"),
    "Scan.csv",
    "scan.csv",
    "SCAN.CSV",
    "trailing dot.",
    "trailing dot..",
    "trailing blank ",
    " leading blank",
    "CON",
    "nul.txt",
    "a:b|c?d*e<f>g.csv",
    'quoted "name".csv',
    "back\\slash.csv",
    "line\nbreak.csv",
    "bell\x07 and \x1b[31mred\x1b[0m.csv",
    "SCANNE~1.CSV",
    "scan~v2.csv",
    "%2E%2E",
    ".streamweave",
    "..hidden",
    "$(reboot); `id` && 'x'.csv",
    "😀 🔬 👩‍🔬.csv",
    "שלום ‮gpj.csv",
    "日本語のファイル名.csv",
    "n" * 251 + ".csv",
    f"{_LONG_FOLDERS}/at the end of a path of more than 900 characters.csv",
)


@contextmanager
def hard_names(stage: Stage) -> Iterator[None]:
    """Names are hard: NFC and NFD twins, case twins, ends of dots and blanks, device names, control characters, emoji,
    names that the server mangles to 8.3, and a path of over 900 characters; they stay."""
    for name in NAMES:
        _write(stage.folder / FOLDER / name, f"the content of {name!r}\n".encode())
    yield


def crowd(folder: Path, number_of_files: int) -> None:
    """Write so many files into one folder."""
    (folder / CROWDED).mkdir(exist_ok=True)
    for number in range(number_of_files):
        (folder / CROWDED / f"frame_{number:06}.csv").write_bytes(b"%d\n" % number)


@contextmanager
def crowded_folder(stage: Stage) -> Iterator[None]:
    """100,000 files are in one folder; they stay."""
    crowd(stage.folder, CROWD)
    yield


def _write(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
