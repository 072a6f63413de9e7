"""Samba's own client, with its password in a file: command lines can be read by everyone."""

import os
from pathlib import Path

from simlab.shares import ShareServer

PROGRAM = "smbclient"


def command(server: ShareServer, share: str, folder: Path, commands: str) -> list[str]:
    """The command line that runs ``commands`` on a share; the account's file is kept in ``folder``."""
    account = folder / "smbclient.account"
    account.touch(mode=0o600)
    account.write_text(f"username={server.username}\npassword={server.password}\n")
    address = f"//{server.host}/{share}"
    options = ["--configfile", os.devnull, "--port", str(server.port), "--authentication-file", str(account)]
    return [PROGRAM, *options, address, "--command", commands]
