"""Samba's smbd, run in the foreground by whoever we are, with nothing but files of its own.

smb.conf(5) and smbd(8) describe the options. No account is made on the machine: the SMB user is mapped to the unix
user who runs the server (`username map`), and the password lives in the server's own database.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from simlab.errors import ShareServerError
from simlab.shares.base import HOST, Share, ShareServer
from simlab.shares.process import ServerProcess

KIND = "samba"
# an ordinary user's PATH often lacks the folders where distributions install servers
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


def is_available() -> bool:
    """Whether smbd, and pdbedit for its user, are installed, and whether we are someone the machine knows."""
    return all(map(_find, ("smbd", "pdbedit"))) and _unix_user() is not None


def start(
    shares: Sequence[Share],
    *,
    port: int,
    work_folder: Path,
    username: str,
    password: str,
    options: Mapping[str, str],
) -> ShareServer:
    """Start smbd with its log in `work_folder`, and return once it answers.

    `options` are added to, or replace, the `[global]` section's. Raises `ShareServerError`.
    """
    log = work_folder / "smbd.log"
    runtime = _runtime_folder(work_folder)
    try:
        (runtime / "log").symlink_to(log)
        config = _write_config(shares, _global_options(runtime, port) | dict(options), runtime)
        _write_user(config, runtime, username, password)
        return ServerProcess.start(
            KIND,
            [_find("smbd") or "smbd", "-F", "--no-process-group", "-s", str(config)],
            port=port,
            username=username,
            password=password,
            log=log,
            clean_up=lambda: shutil.rmtree(runtime, ignore_errors=True),
        )
    except BaseException:
        shutil.rmtree(runtime, ignore_errors=True)
        raise


def _runtime_folder(work_folder: Path) -> Path:
    """Make the folder that every path in smb.conf leads through.

    Its own path is short, as those of unix sockets must be (107 bytes, unix(7)), and free of the percent signs that
    smbd would replace. A link in the work folder remembers it, so that the next start sweeps what a killed one left.
    """
    link = work_folder / "runtime"
    if link.is_symlink():
        shutil.rmtree(link.readlink(), ignore_errors=True)
        link.unlink()
    folder = Path(tempfile.mkdtemp(prefix="simlab-"))
    link.symlink_to(folder)
    return folder


def _global_options(runtime: Path, port: int) -> dict[str, str]:
    folders = {name: runtime / name for name in ("private", "state", "cache", "lock", "pid")}
    for folder in folders.values():
        folder.mkdir(mode=0o700)
    return {
        "server role": "standalone server",
        "interfaces": f"{HOST}/8",
        "bind interfaces only": "yes",
        "smb ports": str(port),
        **{f"{name} directory": str(folder) for name, folder in folders.items()},
        "ncalrpc dir": str(runtime / "ncalrpc"),
        "log file": str(runtime / "log"),
        "passdb backend": f"tdbsam:{runtime / 'passdb.tdb'}",
        "username map": str(runtime / "users"),
        "map to guest": "never",
        "restrict anonymous": "2",
        "server min protocol": "SMB2_10",
        "disable netbios": "yes",
        "disable spoolss": "yes",
        "load printers": "no",
        "kernel change notify": "yes",
    }


def _write_config(shares: Sequence[Share], global_options: Mapping[str, str], runtime: Path) -> Path:
    sections: dict[str, Mapping[str, str]] = {"global": global_options}
    for number, share in enumerate(shares):
        link = runtime / f"share-{number}"
        link.symlink_to(share.folder.absolute())
        sections[share.name] = {"path": str(link), "read only": "no" if share.writable else "yes"}
    lines = []
    for name, options in sections.items():
        lines += [f"[{name}]", *(f"  {option} = {value}" for option, value in options.items())]
    path = runtime / "smb.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def _write_user(config: Path, runtime: Path, username: str, password: str) -> None:
    unix_user = _unix_user() or ""
    (runtime / "users").write_text(f'{unix_user} = "{username}"\n')
    command = [_find("pdbedit") or "pdbedit", "-s", str(config), "-t", "-a", "-u", unix_user]
    result = subprocess.run(command, input=f"{password}\n{password}\n", capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ShareServerError(f"pdbedit refused the user {unix_user}: {result.stderr.strip()}")


def _unix_user() -> str | None:
    """Return the name of the user we run as; a container may run us under a number without a name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None


def _find(program: str) -> str | None:
    return shutil.which(program, path=SEARCH_PATH)
