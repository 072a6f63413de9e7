"""How a terminal, or a file, shows that a harvest is getting on."""

import io

from rich.console import Console

from streamweave.harvest.progress import Progress
from streamweave_cli.terminal import progress_shown

HALF = Progress(1, 2, 50, 100, 1.0, 50.0, 1.0)
WHOLE = Progress(2, 2, 100, 100, 1.0, 50.0, 0.0)


def test_where_nothing_can_move_there_is_a_plain_line_now_and_then_and_in_the_end() -> None:
    output = io.StringIO()
    with progress_shown(Console(file=output)) as show:
        show(HALF)
        show(WHOLE)
    assert output.getvalue() == "2 of 2 files, 100 bytes of 100 bytes, 1 files/s, 50 bytes/s, 0:00:00 left\n"


def test_a_terminal_shows_a_bar_with_files_bytes_rate_and_time_left() -> None:
    output = io.StringIO()
    with progress_shown(Console(file=output, force_terminal=True, width=120)) as show:
        show(HALF)
    assert "━" in output.getvalue()
    assert "1/2" in output.getvalue()
    assert HALF.sentence() in output.getvalue()
