"""One thread that works beside its owner: a batch is written, or a piece hashed, while the next one is read."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self


class BackgroundThread:
    """Does steps in the order in which they are given, at most ``ahead`` of them not done yet.

    A context manager: after its block nothing is under way, and what the last steps raised is raised, unless the block
    itself raised. With ``drop_on_error``, steps that have not begun are then dropped. The thread starts with the first
    step.
    """

    def __init__(self, name: str, *, ahead: int = 1, drop_on_error: bool = False) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._ahead = ahead
        self._drop_on_error = drop_on_error
        self._steps: deque[Future[None]] = deque()

    def do(self, step: Callable[..., None], *arguments: Any) -> None:
        """Do this next; waits while ``ahead`` steps are not done. Raises what an earlier step raised, and then this
        one is not begun.
        """
        while len(self._steps) >= self._ahead or (self._steps and self._steps[0].done()):
            self._steps.popleft().result()
        self._steps.append(self._thread.submit(step, *arguments))

    def wait(self) -> None:
        """Return when everything is done. Raises what a step raised."""
        while self._steps:
            self._steps.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.wait()
        finally:
            self._thread.shutdown(cancel_futures=error is not None and self._drop_on_error)
