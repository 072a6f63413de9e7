"""The log of Dagster's daemon."""

import logging
import sys

import pytest
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_shared.error import SerializableErrorInfo

from streamweave_dagster.daemon import log_in_one_line
from streamweave_dagster.failures import TickFailed


def process(error: Exception, caplog: pytest.LogCaptureFixture) -> tuple[SerializableErrorInfo, str]:
    """The error as it comes from the code server: what the tick gets of it, and what the log says."""
    try:
        raise error  # noqa: TRY301 - as the code server meets it
    except Exception:  # noqa: BLE001 - whichever it is
        info = serializable_error_info_from_exc_info(sys.exc_info())
    try:
        raise DagsterUserCodeProcessError(info.to_string(), user_code_process_error_infos=[info])  # noqa: TRY301 - as the daemon meets it
    except DagsterUserCodeProcessError:
        shown = log_in_one_line(sys.exc_info(), logging.getLogger("daemon"), "Sensor tick caught an error")
    return shown, caplog.text


def test_a_failure_that_is_said_in_a_sentence_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    shown, logged = process(TickFailed("microscope-01: nothing answered: is it on?"), caplog)
    assert logged.endswith("Sensor tick caught an error: microscope-01: nothing answered: is it on?\n")
    assert logged.count("\n") == 1
    assert "TickFailed" in shown.to_string()


def test_any_other_error_keeps_its_stack_trace(caplog: pytest.LogCaptureFixture) -> None:
    _, logged = process(ZeroDivisionError("oh"), caplog)
    assert "Traceback" in logged
    assert "ZeroDivisionError" in logged
