"""The process that serves with impacket.

`python -m simlab.shares.impacket_process CONFIG CREDENTIALS HOST PORT [BEHAVIOUR]`; it ends when its standard input
does, and so with the process that started it.
"""

import os
import sys
import threading
from pathlib import Path

from impacket.smbserver import SimpleSMBServer

from simlab.shares.hostile import BEHAVIOURS, behave


def _end_with_standard_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # the server's threads wait for their clients and would keep the process alive


def main(config: str, credentials: str, host: str, port: str, behaviour: str = "") -> None:
    """Serve what the file `config` describes to the user in the file `credentials`, until standard input ends.

    With a `behaviour`, one of `simlab.shares.hostile`, the listings are as hostile as that says.
    """
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    server = SimpleSMBServer(listenAddress=host, listenPort=int(port), configFile=config)
    name, uid, lm_hash, nt_hash = Path(credentials).read_text().strip().split(":")
    server.addCredential(name, int(uid), lm_hash, nt_hash)
    if behaviour:
        behave(server.getServer(), BEHAVIOURS[behaviour])
    server.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
