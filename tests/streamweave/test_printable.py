import io
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.errors import FileVanished
from streamweave.printable import PrintableFormatter, printable, printable_besides_colours

HOSTILE = "scan\x1b[31m\r\u202efdp.exe\nINFO forged\x9b2J\x00"


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert printable(HOSTILE) == r"scan\x1b[31m\r\u202efdp.exe\nINFO forged\x9b2J\x00"
    assert printable("Messung für 北京 №3 😀.csv") == "Messung für 北京 №3 😀.csv"


@given(st.text())
def test_nothing_is_left_that_is_no_graphic_character(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert printable(shown) == shown


def test_the_errors_of_the_core_are_printable_also_in_tracebacks() -> None:
    assert str(FileVanished(HOSTILE)) == printable(HOSTILE)


@pytest.mark.parametrize("line", ["plain", "\x1b[32mINFO\x1b[0m done", "\x1b[1;31mred\x1b[m"])
def test_our_own_programs_may_set_colours(line: str) -> None:
    assert printable_besides_colours(line) == line


def test_our_own_programs_may_do_nothing_else() -> None:
    line = "a\tb\x1b[2Jc\x1b]0;title\x07\x1b[31md\r\u202e"
    assert printable_besides_colours(line) == "a       b\\x1b[2Jc\\x1b]0;title\\x07\x1b[31md\\r\\u202e"


def test_a_log_line_is_one_line_and_a_traceback_is_indented_below_it() -> None:
    log = logging.Logger("streamweave.test")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    log.addHandler(handler)
    try:
        int(HOSTILE)
    except ValueError:
        log.exception("reading %s", HOSTILE)
    first, *others = stream.getvalue().splitlines()
    assert first == f"ERROR streamweave.test: reading {printable(HOSTILE)}"
    assert others[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") and line.isprintable() for line in others)
