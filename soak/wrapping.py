"""Points: a function of the product is wrapped from outside, so that its process dies at one of its calls."""

import functools
import importlib
import itertools
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

from soak.orders import Point


def kill_at(point: Point) -> None:
    """Let this process kill itself at the point. Raises ``LookupError`` when there is no such function."""

    def call(number: int, function: Callable[[], Any]) -> Any:
        is_it = number == point.call
        if is_it and point.moment == "before":
            die()
        result = function()
        if is_it and point.moment == "after":
            die()
        return result

    _wrap(point.target, call)


def count_calls(targets: Iterable[str]) -> dict[str, int]:
    """How often each is called from here on; it goes on counting. Raises ``LookupError``."""
    counts = dict.fromkeys(targets, 0)
    for target in counts:

        def call(number: int, function: Callable[[], Any], target: str = target) -> Any:
            counts[target] = max(counts[target], number)
            return function()

        _wrap(target, call)
    return counts


def _wrap(target: str, call: Callable[[int, Callable[[], Any]], Any]) -> None:
    """Let ``call`` do each call of the target, whose number it is given."""
    owner, name, function = _found(target)
    numbers = itertools.count(1)

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        return call(next(numbers), functools.partial(function, *arguments, **named))

    setattr(owner, name, wrapped)


def die() -> None:
    """At once, and without a chance to clear up."""
    os.kill(os.getpid(), signal.SIGKILL)


def _found(target: str) -> tuple[Any, str, Callable[..., Any]]:
    module, _, qualified = target.partition(":")
    *path, name = qualified.split(".")
    try:
        owner: Any = importlib.import_module(module)
        for part in path:
            owner = getattr(owner, part)
        return owner, name, getattr(owner, name)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"there is no {target}") from error
