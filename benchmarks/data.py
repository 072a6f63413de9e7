"""The data that is transferred: deterministic, incompressible, no two files alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from simlab.instruments import content_of

FILES_IN_A_FOLDER = 50
FOLDERS_IN_A_FOLDER = 20


@dataclass(frozen=True)
class Dataset:
    """``files`` files of ``file_bytes`` bytes each, below ``folder``: 50 in a folder, 20 such folders in each above.

    20,000 files are in 421 folders.
    """

    name: str
    title: str
    folder: Path
    files: int
    file_bytes: int

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.files * self.file_bytes

    @property
    def folders(self) -> int:
        """How many folders hold it, ``folder`` included."""
        plates = ceil(self.files / FILES_IN_A_FOLDER)
        return plates + ceil(plates / FOLDERS_IN_A_FOLDER) + 1

    def paths(self) -> Iterator[str]:
        """Every file, below ``folder``."""
        for number in range(self.files):
            plate, well = divmod(number, FILES_IN_A_FOLDER)
            run, plate = divmod(plate, FOLDERS_IN_A_FOLDER)
            yield f"run_{run:02d}/plate_{plate:02d}/well_{well:02d}.dat"

    def sample(self, size: int) -> list[str]:
        """So many of the files, evenly spread."""
        paths = list(self.paths())
        return paths[:: max(1, len(paths) // size)][:size]

    def build(self) -> None:
        """Write it."""
        for number, path in enumerate(self.paths()):
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as output:
                output.writelines(content_of(self.file_bytes, first_block=number))
