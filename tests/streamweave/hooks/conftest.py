""""""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from streamweave.hooks.base import HookContext
from streamweave.hooks.scripts import Script, ScriptFolder


@pytest.fixture
def context_of() -> Callable[..., HookContext]:
    """Makes the context of a file on the microscope from its source path and, if given, its size."""

    def context(source_path: str, size_bytes: int = 23) -> HookContext:
        filename = source_path.rpartition("/")[2]
        return HookContext("microscope_01", source_path, filename, size_bytes, datetime(2026, 2, 24, tzinfo=UTC))

    return context


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
