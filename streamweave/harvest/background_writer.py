"""Writing behind: what was found is written in a thread of its own while more of it is sought."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager


class BackgroundWriter:
    """Writes one thing at a time, in the order in which they are handed over.

    Whoever hands over the next waits until the one before is written, so no more than one is ever under way.
    """

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._under_way: Future[None] | None = None

    def hand_over(self, write: Callable[[], None]) -> None:
        """Begin to write, as soon as the one before is written. Raises what that one raised; then this is not begun."""
        self.wait()
        self._under_way = self._thread.submit(write)

    def wait(self) -> None:
        """Until everything is written. Raises what the last write raised."""
        if self._under_way is not None:
            self._under_way.result()


@contextmanager
def background_writer() -> Iterator[BackgroundWriter]:
    """When the block has ended, nothing is under way any more, however it ended.

    Raises what a write raised, unless the block itself raises. The thread begins with the first write.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="write-behind") as thread:
        behind = BackgroundWriter(thread)
        yield behind
        behind.wait()
