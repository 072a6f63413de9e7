"""Files that only their owner may read."""

import os
import tempfile
from pathlib import Path

OTHERS = 0o077


def write_private(path: Path, text: str) -> None:
    """Write ``path`` (0600) so that it appears complete or not at all, and survives a crash of the machine."""
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp makes it 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    Path(scratch).replace(path)


def tighten(path: Path) -> bool:
    """Take all rights of others away; True when there were some."""
    mode = path.stat().st_mode
    if not mode & OTHERS:
        return False
    path.chmod(mode & 0o777 & ~OTHERS)
    return True
