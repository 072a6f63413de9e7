"""Text that is safe to show at a terminal and to write into a log.

Names come from shares, hooks and strangers, and may hold anything: escape sequences that a terminal obeys, carriage
returns that overwrite a line, line breaks that forge one, marks that turn the direction of writing. Whoever prints,
logs or reports to Dagster passes such text through ``printable``.
"""

import logging
import re
import sys

COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


def printable(text: str) -> str:
    """The text on one line, with all that is not for printing escaped as in Python: ``\\x1b``, ``\\n``, ``\\u202e``."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def printable_besides_colours(text: str) -> str:
    """The same for a line of a program of our own, which may set colours (ECMA-48, SGR) and nothing else."""
    return "".join(part if COLOUR.fullmatch(part) else printable(part) for part in COLOUR.split(text.expandtabs()))


def counted(number: int, noun: str, nouns: str | None = None) -> str:
    """The number with its noun: ``1 file``, ``12 files``. ``nouns`` is a plural that needs more than an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {nouns or noun + 's'}"


class PrintableFormatter(logging.Formatter):
    """One line for each message; those of a traceback follow, each indented, so that none looks like a message."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as it stands in the log."""
        record.message = record.getMessage()
        traceback = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        return "\n".join([printable(self.formatMessage(record)), *(f"  {printable(line)}" for line in traceback)])


def log_printable_lines(level: int = logging.INFO) -> None:
    """Have all loggers of this process write such lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
