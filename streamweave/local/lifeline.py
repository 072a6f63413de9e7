"""What ties a child process to its parent: the kernel tells the child when the parent dies, even of SIGKILL."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # prctl(2)


def when_parent_dies(number: signal.Signals) -> Callable[[], None]:
    """A ``preexec_fn`` for `subprocess.Popen` after which the child gets signal ``number`` when its parent dies.

    The kernel follows the *thread* that starts the child: start children from the main thread. It runs after the
    switch to another user, which would clear the setting. Where the kernel is not Linux, nothing is set.
    """
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def tie() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != parent:  # it died between the fork and the call above
                os.kill(os.getpid(), number)

    return tie
