"""Points: a function of the product is wrapped from outside, so that its process dies at one of its calls."""

import functools
import importlib
import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

from soak.orders import Point


def kill_at(point: Point) -> None:
    """Let this process kill itself at the point. Raises ``LookupError`` when there is no such function."""
    owner, name, function = _found(point.target)
    calls = itertools.count(1)

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        is_it = next(calls) == point.call
        if is_it and point.moment == "before":
            die()
        result = function(*arguments, **named)
        if is_it and point.moment == "after":
            die()
        return result

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
