"""`simlab faults` and `simlab fault` at a terminal, as processes of their own."""

import signal
import subprocess
import sys
from pathlib import Path

from simlab.faults import SCENARIOS, sentence_of

SIMLAB = [sys.executable, "-m", "simlab"]


def test_the_list_says_of_each_scenario_what_happens() -> None:
    listed = subprocess.run([*SIMLAB, "faults"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(SCENARIOS)
    assert sentence_of(SCENARIOS["freezes"]) in listed


def test_a_folder_is_served_with_a_fault_until_a_signal_comes(tmp_path: Path) -> None:
    command = [*SIMLAB, "fault", "comes-back-empty", "--folder", str(tmp_path / "share")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = list(iter(process.stdout.readline, "ready\n"))
        assert said[0].startswith("smb://127.0.0.1:")
        assert list((tmp_path / "share").iterdir()) == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert (tmp_path / "share" / "stack.raw").is_file()


def test_an_unknown_fault_is_told(tmp_path: Path) -> None:
    result = subprocess.run(
        [*SIMLAB, "fault", "explodes", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
