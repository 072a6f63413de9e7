"""The listing with hardly any data: whether it still runs, not how fast."""

from benchmarks.listing.benchmark import run
from benchmarks.listing.contestants import OURS, PUBLIC
from benchmarks.report import Verdict
from benchmarks.setting import Setting


def test_we_see_every_file_and_nobody_else_is_there(setting: Setting) -> None:
    report = run(setting)
    assert {name: turn["files"] for name, (turn,) in report.numbers.items()} == {OURS: 20, PUBLIC: 20}
    assert [goal.verdict for goal in report.goals] == [Verdict.NOT_MEASURED]
