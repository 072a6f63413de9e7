"""Many requests side by side: a server that is far away answers as many in the time of one."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from streamweave.errors import StorageError

AT_ONCE = 16

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(act: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result | StorageError]:
    """What ``act`` makes of each item, in order, or the ``StorageError`` that it raises."""

    def outcome(item: Item) -> Result | StorageError:
        try:
            return act(item)
        except StorageError as error:
            return error

    if len(items) <= 1:
        yield from map(outcome, items)
    else:
        with ThreadPoolExecutor(min(AT_ONCE, len(items)), thread_name_prefix="s3") as threads:
            yield from threads.map(outcome, items)
