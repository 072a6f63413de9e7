"""Errors of the core become failures that say the same, and are tried again only when that can help."""

import pytest

from streamweave.errors import CredentialsRefused, SourceUnreachable, StorageUnavailable, StreamWeaveError
from streamweave_dagster.failures import as_failure, summed_up

LOST = SourceUnreachable("pc.example does not answer")
FULL = StorageUnavailable("the archive is full")
REFUSED = CredentialsRefused("pc.example refuses the account")


@pytest.mark.parametrize(("error", "again"), [(LOST, True), (REFUSED, False)])
def test_only_a_transient_error_is_tried_again(error: StreamWeaveError, again: bool) -> None:
    failure = as_failure(error)
    assert (failure.description, failure.allow_retries) == (str(error), again)
    assert failure.metadata["kind"].value == error.kind()


def test_a_harvest_without_trouble_does_not_fail() -> None:
    assert summed_up(None, []) is None


@pytest.mark.parametrize(
    ("alarm", "troubles", "again"),
    [(None, [LOST, FULL], True), (None, [LOST, REFUSED], False), ("the share is empty", [], False)],
)
def test_all_that_was_wrong_is_said_at_once(alarm: str | None, troubles: list[StreamWeaveError], again: bool) -> None:
    failure = summed_up(alarm, troubles)
    assert failure is not None
    assert failure.description == "; ".join([*([alarm] if alarm else []), *map(str, troubles)])
    assert failure.allow_retries == again
