from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from streamweave.hooks.scripts.folder import Script, ScriptFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of scripts."""
    root = tmp_path / "scripts"
    root.mkdir(mode=0o755)
    return root


@pytest.fixture
def script(folder: Path) -> Callable[[str], Script]:
    """Writes a script into the folder, and reads it as it would be run."""

    def write(code: str) -> Script:
        (folder / "hook.py").write_text(dedent(code))
        (folder / "hook.py").chmod(0o644)
        return ScriptFolder(folder).read("hook.py")

    return write
