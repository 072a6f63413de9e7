"""What a commit is checked with is what `make lint` checks."""

import os
import subprocess
from pathlib import Path

import yaml


def test_the_hooks_run_what_make_lint_runs(repository_root: Path) -> None:
    configuration = yaml.safe_load((repository_root / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"] for repository in configuration["repos"] for hook in repository["hooks"]]
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.installed", "VENV=.venv", "lint"],
        cwd=repository_root,
        env=outside,  # not that of a `make test` around us
        capture_output=True,
        text=True,
        check=True,
    )
    assert hooks == made.stdout.splitlines()
