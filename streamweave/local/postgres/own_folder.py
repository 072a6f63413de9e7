"""A folder of StreamWeave's own outside any home, for what the server's account can't reach inside one."""

import os
import shutil
import tempfile
from pathlib import Path

from streamweave.errors import StartError

PLACES = (Path("/var/lib/streamweave"), Path("/var/tmp/streamweave-root"))
BELONGS_TO = "belongs-to"
POINTER = "elsewhere"


def own_folder() -> Path:
    """The first of `PLACES` that exists or can be made, is ours, and lets others through (0755)."""
    for place in PLACES:
        try:
            place.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        # in a folder where everyone may write, somebody else may have put it there
        if place.is_dir() and not place.is_symlink() and place.stat().st_uid == os.geteuid():
            place.chmod(0o755)
            return place
    raise StartError(f"neither {PLACES[0]} nor {PLACES[1]} can be used for PostgreSQL's data: start as another user")


def folder_elsewhere(home: Path) -> Path:
    """The folder outside that stands for ``home``; made at first, then found by the pointer file in ``home``.

    A home that was deleted and made again gets a new one: what an earlier home left is not mixed into it.
    """
    pointer = home / POINTER
    if pointer.exists():
        return Path(pointer.read_text().strip())
    _remove_abandoned(own_folder())
    folder = Path(tempfile.mkdtemp(prefix=f"{home.parent.name}-", dir=own_folder()))
    folder.chmod(0o755)
    pointer.write_text(f"{folder}\n")  # first: a folder that belongs to a home without pointer is abandoned
    (folder / BELONGS_TO).write_text(f"{home}\n")
    return folder


def _remove_abandoned(place: Path) -> None:
    """Remove folders of temporary homes that are gone. Other homes may only be unmounted: theirs stay."""
    for note in place.glob(f"*/{BELONGS_TO}"):
        home = Path(note.read_text().strip())
        if home.is_relative_to(Path(tempfile.gettempdir()).resolve()) and not (home / POINTER).exists():
            shutil.rmtree(note.parent, ignore_errors=True)
