"""impacket's SMB server, in a process of its own: for machines where Samba is not installed.

Pure Python and simple: SMB 2.0.2 only (64 KiB a read), knows no share modes and no change notification, and
answers a client that creates a file with an action that MS-SMB2 (2.2.14) does not know. Good for reading a share; not
for writing to it, faults or benchmarks.
"""

import configparser
import importlib.util
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from simlab.shares.base import HOST, Share, ShareServer
from simlab.shares.process import ServerProcess

KIND = "impacket"
PROCESS_MODULE = "simlab.shares.impacket_process"


def is_available() -> bool:
    """Whether impacket is installed."""
    return importlib.util.find_spec("impacket") is not None


def start(
    shares: Sequence[Share],
    *,
    port: int,
    work_folder: Path,
    username: str,
    password: str,
    options: Mapping[str, str],
) -> ShareServer:
    """Start the server with its files in `work_folder`, and return once it answers.

    The one option is `behaviour`: listings as hostile as `simlab.shares.hostile` has it. Raises `ShareServerError`, and
    `ValueError` for what only Samba can do: a writable share, and further `options`.
    """
    if writable := [share.name for share in shares if share.writable]:
        raise ValueError(f"impacket's shares are read-only: {', '.join(writable)}")
    if unknown := options.keys() - {"behaviour"}:
        raise ValueError(f"impacket's server has no options: {', '.join(sorted(unknown))}")
    config = work_folder / "impacket.ini"
    with config.open("w") as file:
        _config(shares).write(file)
    credentials = _write_credentials(work_folder, username, password)
    return ServerProcess.start(
        KIND,
        [
            sys.executable,
            "-m",
            PROCESS_MODULE,
            str(config),
            str(credentials),
            HOST,
            str(port),
            options.get("behaviour", ""),
        ],
        port=port,
        username=username,
        password=password,
        log=work_folder / "impacket.out",
    )


def _write_credentials(work_folder: Path, username: str, password: str) -> Path:
    """Write the one user's password hashes, in the form `name:uid:lm:nt`."""
    from impacket.ntlm import compute_lmhash, compute_nthash  # an optional extra

    path = work_folder / "impacket.credentials"
    path.touch(mode=0o600)
    path.write_text(f"{username}:1000:{compute_lmhash(password).hex()}:{compute_nthash(password).hex()}\n")
    return path


def _config(shares: Sequence[Share]) -> configparser.ConfigParser:
    config = configparser.ConfigParser(interpolation=None)
    config["global"] = {
        "server_name": "SIMLAB",
        "server_os": "simlab",
        "server_domain": "WORKGROUP",
        "log_file": "None",
        "credentials_file": "",
        "challenge": secrets.token_hex(8),
        "rpc_apis": "yes",
        "smb2support": "True",
        "anonymous_logon": "False",
    }
    config["IPC$"] = {"comment": "", "read only": "yes", "share type": "3", "path": ""}
    for share in shares:
        # impacket's reader interpolates percent signs, and strips blanks from the end of a value
        path = f"{share.folder.absolute()}/.".replace("%", "%%")
        config[share.name.upper()] = {"comment": "", "read only": "yes", "share type": "0", "path": path}
    return config
