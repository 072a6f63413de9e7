"""Asking a storage whose answer may never come."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

ANSWERS_WITHIN_SECONDS = 5.0
"""A network file system whose server is gone lets whoever asks wait for ever."""

Answer = TypeVar("Answer")

_asked: dict[str, tuple[Future[Any], float]] = {}
_late: dict[str, Future[Any]] = {}
_lock = threading.Lock()


def answered(what: str, question: Callable[[], Answer]) -> Answer:
    """The answer to ``question``, which is known by the name ``what``.

    While it is asked already, no second one is: whoever comes gets the same answer, however often a question hangs.
    Raises what it raises, or ``TimeoutError`` when no answer has come within ``ANSWERS_WITHIN_SECONDS`` of asking.
    """
    with _lock:
        answer, asked_at = _asked.get(what, (None, 0.0))
        if answer is None or answer.done():
            answer, asked_at = Future(), time.monotonic()
            _asked[what] = answer, asked_at
            threading.Thread(target=_ask, args=(question, answer), daemon=True).start()
    remaining = asked_at + ANSWERS_WITHIN_SECONDS - time.monotonic()
    return cast(Answer, answer.result(max(remaining, 0.0)))


def answered_anew(what: str, question: Callable[[], Answer], within_seconds: float) -> Answer:
    """The answer to ``question``, asked now, and for this caller alone.

    Raises what it raises, or ``TimeoutError`` when no answer has come within so many seconds; at once while an earlier
    question known by the name ``what`` is late and still hangs. So a server that is gone does not gather threads.
    """
    late = _late.get(what)
    if late is not None and not late.done():
        raise TimeoutError(what)
    answer: Future[Any] = Future()
    threading.Thread(target=_ask, args=(question, answer), daemon=True).start()
    try:
        return cast(Answer, answer.result(within_seconds))
    except TimeoutError:
        _late[what] = answer
        raise


def _ask(question: Callable[[], Any], answer: "Future[Any]") -> None:
    try:
        answer.set_result(question())
    except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
        answer.set_exception(error)
