"""The rules of the house, held by the tools that know them."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = {
    "the code is formatted": ["ruff", "format", "--check", "."],
    "the code is lint-free": ["ruff", "check", "."],
    "types are complete and right": ["mypy"],
}


@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS.keys())
def test_the_house_rules_hold(command: list[str], repository_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=repository_root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nobody_imports_who_may_not(repository_root: Path) -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint_imports], cwd=repository_root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dagster_modules_keep_their_annotations(repository_root: Path) -> None:
    """Dagster reads annotations at run time: postponed ones make it refuse annotated ``context`` parameters."""
    postponed = "from __future__ import annotations"
    modules = (repository_root / "streamweave_dagster").rglob("*.py")
    assert [module for module in modules if postponed in module.read_text()] == []
