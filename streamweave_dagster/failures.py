"""From the core's errors to Dagster's: the same sentence, and whether trying again can help."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from streamweave.errors import StreamWeaveError, Transient
from streamweave.printable import printable

RETRY_TRANSIENT = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)
"""For ops whose errors go through ``as_failure``: a permanent error passes it by."""

RUN_RETRY_TAGS = {"dagster/retry_on_asset_or_op_failure": "false", "dagster/retry_strategy": "ALL_STEPS"}
"""Of every run that harvests: one that died is tried again, from its beginning; one that failed has tried already."""


class TickFailed(dg.DagsterError):
    """A sensor's tick failed for a reason that is told in one sentence.

    Dagster shows its own errors as they are; any other it would bury below one more stack trace.
    """


def as_failure(error: StreamWeaveError) -> dg.Failure:
    """What a run shows of an error. Only a ``Transient`` one lets the op's retry policy try again."""
    return dg.Failure(str(error), metadata={"kind": error.kind()}, allow_retries=isinstance(error, Transient))


def summed_up(alarm: str | None, troubles: Sequence[StreamWeaveError]) -> dg.Failure | None:
    """The failure with which a harvest ends that did what it could; None when nothing was wrong."""
    sentences = [*([alarm] if alarm else []), *map(str, troubles)]
    if not sentences:
        return None
    can_pass = alarm is None and all(isinstance(trouble, Transient) for trouble in troubles)
    return dg.Failure(printable("; ".join(sentences)), allow_retries=can_pass)


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Turn the core's errors into failures of the op."""
    try:
        yield
    except StreamWeaveError as error:
        raise as_failure(error) from error


@contextmanager
def errors_as_red_ticks() -> Iterator[None]:
    """Turn the core's errors into failed ticks that show the sentence alone."""
    try:
        yield
    except StreamWeaveError as error:
        raise TickFailed(str(error)) from None
