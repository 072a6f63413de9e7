"""rclone, configured for a share by its environment: nothing is written to anybody's configuration."""

import subprocess
from collections.abc import Mapping

from simlab.shares import ShareServer

PROGRAM = "rclone"
REMOTE = "share"


def environment_for(server: ShareServer) -> Mapping[str, str]:
    """The remote `REMOTE:`, whose first folder is the share's name."""
    obscured = subprocess.run(
        [PROGRAM, "obscure", "-"], input=server.password, capture_output=True, text=True, check=True
    )
    settings = {
        "TYPE": "smb",
        "HOST": server.host,
        "PORT": str(server.port),
        "USER": server.username,
        "PASS": obscured.stdout.strip(),
    }
    prefix = f"RCLONE_CONFIG_{REMOTE.upper()}"
    return {"RCLONE_CONFIG": "/dev/null", **{f"{prefix}_{name}": value for name, value in settings.items()}}
