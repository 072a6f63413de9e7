"""Names that are hard, and names that are many."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simlab.faults.stage import Stage

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
    """100,000 files stand in one folder; they stay."""
    crowd(stage.folder, CROWD)
    yield


def _write(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
