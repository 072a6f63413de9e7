"""What a script's interpreter runs first, given as ``-c``: it takes on the limits, and becomes the script.

Limits are set here rather than between fork and exec, where a process with threads must not run any Python. It
imports nothing of StreamWeave: the interpreter that runs it may not have it.
"""

import ctypes
import resource
import runpy
import signal
import sys
from contextlib import suppress

NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS of Linux: a set-uid program gains no rights


def take_on(seconds: int, memory_bytes: int, file_bytes: int) -> None:
    """Limit this process, for good: hard limits can't be raised again."""
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_NPROC: 0,  # neither processes nor threads: nothing outlives the script
    }
    for limit, most in limits.items():
        _, hard = resource.getrlimit(limit)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (allowed, allowed))
    signal.alarm(seconds + 1)  # the process that waits for us may be killed
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)


if __name__ == "__main__":
    take_on(*map(int, sys.argv[2:5]))
    sys.argv = [sys.argv[1]]
    runpy.run_path(sys.argv[0], run_name="__main__")
