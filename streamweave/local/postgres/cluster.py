"""A database cluster: the folder that a server keeps its data in, and the password that opens it."""

import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from streamweave.errors import StartError
from streamweave.local.postgres.account import ServerAccount
from streamweave.local.postgres.own_folder import POINTER, folder_elsewhere

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
        _write_private(secret, password)
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
        user=account.uid,
        group=account.gid,
        extra_groups=account.extra_groups,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise StartError(f"PostgreSQL could not make its data folder {data}: {_last_line(made.stdout)}")


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1] if lines else "no message"
