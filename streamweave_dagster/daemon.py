"""``python -m streamweave_dagster.daemon run -w workspace.yaml``: Dagster's daemon, with a log that people can read.

A sensor's tick that fails for a reason that is said in one sentence (``TickFailed``: a share that is away, a password
that is refused) is one line of the log. The tick itself holds the whole error, as ever.
"""

import logging
from types import TracebackType

from dagster._core.errors import DagsterUserCodeProcessError
from dagster._daemon.cli import main
from dagster._daemon.utils import DaemonErrorCapture
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_shared.error import SerializableErrorInfo

from streamweave.printable import printable
from streamweave_dagster.failures import TickFailed

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


def log_in_one_line(exc_info: ExceptionInfo, logger: logging.Logger, log_message: str) -> SerializableErrorInfo:
    """What Dagster calls for each error in its daemons. Returns the whole error."""
    if (sentence := _tick_sentence(exc_info[1])) is None:
        return DaemonErrorCapture.default_process_exception(exc_info, logger, log_message)
    logger.error("%s: %s", log_message, printable(sentence))
    return serializable_error_info_from_exc_info(exc_info)


def _tick_sentence(error: BaseException | None) -> str | None:
    if not isinstance(error, DagsterUserCodeProcessError):
        return None
    for info in error.user_code_process_error_infos:
        if info.cls_name == TickFailed.__name__:
            return str(info.message).strip().partition(": ")[2]
    return None


if __name__ == "__main__":
    DaemonErrorCapture.process_exception = log_in_one_line
    main()
