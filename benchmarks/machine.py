"""What the numbers depend on: the machine, and the versions of what was measured."""

import os
import platform
from importlib.metadata import version
from typing import Any

import psutil

from benchmarks.programs import first_line_of

PACKAGES = ("smbprotocol", "dagster")
PROGRAMS = {
    "samba": ["smbd", "--version"],
    "smbclient": ["smbclient", "--version"],
    "rclone": ["rclone", "version"],
    "cp": ["cp", "--version"],
}


def machine_facts() -> dict[str, Any]:
    """Cores, memory, kernel, versions (None: not installed), and the load of the last minute."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        **{name: first_line_of(command) for name, command in PROGRAMS.items()},
        "load": round(os.getloadavg()[0], 2),
    }
