import logging
import threading

import pytest

from streamweave.errors import OrchestratorUnavailable
from streamweave_api.dagster import LocationReload


def test_changes_that_come_together_cause_one_reload() -> None:
    reloads = threading.Semaphore(0)
    reload = LocationReload(reloads.release, gather_seconds=0.2)
    for _ in range(20):
        reload.request()
    reload.start()
    assert reloads.acquire(timeout=30)
    reload.request()
    assert reloads.acquire(timeout=30)
    reload.stop()
    assert not reloads.acquire(blocking=False)


def test_a_dagster_that_is_down_costs_one_line_and_the_next_change_tries_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried = threading.Semaphore(0)

    def down() -> None:
        tried.release()
        raise OrchestratorUnavailable("nobody answers")

    reload = LocationReload(down, gather_seconds=0)
    reload.start()
    with caplog.at_level(logging.WARNING):
        reload.request()
        assert tried.acquire(timeout=30)
        reload.request()
        assert tried.acquire(timeout=30)
        reload.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "the code location was not reloaded: nobody answers"
    ] * 2


def test_stopping_does_not_wait_for_what_is_gathered() -> None:
    reloads = threading.Semaphore(0)
    reload = LocationReload(reloads.release, gather_seconds=3600)
    reload.start()
    reload.request()
    reload.stop()
    assert not reloads.acquire(blocking=False)
