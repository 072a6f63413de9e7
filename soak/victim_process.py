"""The process that victims are forked from: ``python -m soak.victim_process``.

It has imported everything once, so that a victim begins at once. It reads orders from its standard input and answers
each, when its victim has ended, with how that was. It has one thread and no connection of its own: a fork is safe.

A victim is an ordinary harvest with the facility that its settings describe. What makes it a victim is done from
outside of the product: a named function is wrapped so that the process kills itself before or after a call of it; or
the parent kills it after a time.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from soak.disk import break_disk
from soak.orders import End, Order, order_of
from soak.power import forget_to_flush
from soak.wrapping import count_calls, kill_at
from streamweave.errors import StreamWeaveError
from streamweave.facility import Facility, facility_of
from streamweave.garbage import reduce_gc
from streamweave.harvest.run import harvest
from streamweave.instruments.instruments import instrument_by_slug
from streamweave.settings import Settings

DONE, SOMETHING_IS_WRONG, BROKEN_OFF = 0, 1, 2
LONGEST_SAYING = 8_000


class Clock:
    """The facility's, some time ahead. Waiting moves it on, and takes no time."""

    def __init__(self, facility_now: Callable[[], datetime], ahead_seconds: float) -> None:
        self._facility_now = facility_now
        self._ahead = timedelta(seconds=ahead_seconds)

    def now(self) -> datetime:
        """Its time, in UTC."""
        return self._facility_now() + self._ahead

    def wait(self, seconds: float) -> None:
        """Move it on."""
        self._ahead += timedelta(seconds=seconds)


def main() -> None:
    """Fork a victim for each order, until there are none any more."""
    reduce_gc()
    for line in sys.stdin:
        print(_run(order_of(line)).as_json(), flush=True)


def _run(order: Order) -> End:
    ear, mouth = os.pipe()
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(ear)
        code, said = _victim(order)
        os.write(mouth, said.encode(errors="replace")[:LONGEST_SAYING])
        os._exit(code)  # as it is: no clearing up that the next run could lean on
    os.close(mouth)
    _await(pid, order)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    seconds = time.monotonic() - begun
    with os.fdopen(ear, "rb") as words:
        said = words.read().decode(errors="replace")
    return End(seconds, -status if status < 0 else None, status if status >= 0 else None, said)


def _await(pid: int, order: Order) -> None:
    """Until the victim has ended, or has been killed: at its time, or because it hangs."""
    handle = os.pidfd_open(pid)
    try:
        is_to_die = order.kill_after_seconds is not None
        seconds = order.kill_after_seconds if is_to_die else order.patience_seconds
        ended, _, _ = select.select([handle], [], [], seconds)
        if not ended:
            os.kill(pid, signal.SIGKILL if is_to_die else signal.SIGABRT)
    finally:
        os.close(handle)


def _victim(order: Order) -> tuple[int, str]:
    if order.kill_at:
        kill_at(order.kill_at)
    if order.broken_disk:
        break_disk(order.broken_disk)
    if not order.flushes:
        forget_to_flush()
    counts = count_calls(order.counted)
    try:
        code, said = _harvest(_facility(order), order.instrument)
        return code, json.dumps(counts) if counts else said
    except StreamWeaveError as error:
        return SOMETHING_IS_WRONG, f"{error.kind()}: {error}"
    except BaseException as error:  # noqa: BLE001 - whatever ends a harvest is what we are here to see
        return BROKEN_OFF, f"{type(error).__name__}: {error}"


def _facility(order: Order) -> Facility:
    settings = Settings(database_url=order.database_url, encryption_keys=SecretStr(order.encryption_keys))
    facility = facility_of(settings)
    clock = Clock(facility.now, order.ahead_seconds)
    return replace(facility, now=clock.now, wait=clock.wait)


def _harvest(facility: Facility, slug: str) -> tuple[int, str]:
    with facility.sessions() as session:
        instrument = instrument_by_slug(session, slug)
    assert instrument is not None, f"the catalog has no instrument {slug}"
    report = harvest(facility, instrument)
    if report.troubles:
        return SOMETHING_IS_WRONG, "; ".join(f"{trouble.kind()}: {trouble}" for trouble in report.troubles)
    return DONE, report.sentence()


if __name__ == "__main__":
    main()
