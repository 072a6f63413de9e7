"""The home: everything that `streamweave up` keeps, in one folder."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from streamweave.errors import StartError
from streamweave.local.lock import FolderLock


@dataclass(frozen=True)
class Home:
    """The paths inside the home. ``root`` is absolute.

    ``run`` holds what only the running system needs (it may be emptied while it is stopped), ``storage`` and ``simlab``
    hold files of ``--simlab``.
    """

    root: Path
    postgres: Path
    keys: Path
    dagster: Path
    storage: Path
    simlab: Path
    run: Path

    @classmethod
    def at(cls, root: Path) -> Self:
        """The layout under ``root``; nothing is touched yet."""
        root = root.expanduser().resolve()
        names = ("postgres", "keys", "dagster", "storage", "simlab", "run")
        return cls(root, *(root / name for name in names))

    def create(self) -> None:
        """Make what is missing. Raises ``StartError`` when the home, or a part of it, can't be a folder of ours."""
        for folder in (self.root, self.postgres, self.keys, self.dagster, self.storage, self.simlab, self.run):
            self._make(folder)
        try:
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise StartError(f"the home {self.root} is not writable: {error.strerror}") from error

    def lock(self) -> FolderLock:
        """The home's lock, taken. Raises ``StartError`` when another supervisor has it."""
        lock = FolderLock(self.run)
        if not lock.acquire():
            raise StartError(f"the home {self.root} is in use by another `streamweave up`: stop that one first")
        return lock

    @property
    def manifest(self) -> Path:
        """Where simlab describes itself."""
        return self.run / "simlab.json"

    @property
    def environment(self) -> Path:
        """Where the running system says how it is reached; there is no such file while none runs."""
        return self.run / "environment"

    def _make(self, folder: Path) -> None:
        private = folder not in (self.storage, self.simlab)
        try:
            folder.mkdir(mode=0o700 if private else 0o755, parents=folder == self.root)
        except FileExistsError:
            if not folder.is_dir():
                raise StartError(f"{folder} is a file, and the home needs a folder there") from None
        except OSError as error:
            raise StartError(f"the home {self.root} can't be made at {folder}: {error.strerror}") from error
