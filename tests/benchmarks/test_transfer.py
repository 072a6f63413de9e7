"""The transfers with hardly any data: whether they still run, not how fast."""

from benchmarks.report import Verdict
from benchmarks.setting import Setting
from benchmarks.transfer.benchmark import run
from benchmarks.transfer.contestants import CP, DD, OURS


def test_every_contest_is_held_and_whoever_is_missing_is_named(setting: Setting) -> None:
    report = run(setting)
    contests = {name: set(turns) for name, turns in report.numbers.items()}
    assert contests["small"] == contests["medium"] == {CP, OURS}
    assert contests["large"] - {DD} == {CP, OURS}
    assert [turn["files"] for turn in report.numbers["small"][OURS]] == [20]
    assert {note.split()[0] for note in report.notes} >= {"rclone", "smbclient"}
    verdicts = {goal.what: goal.verdict for goal in report.goals}
    assert verdicts["20 files of 4 KiB"] == Verdict.NOT_MEASURED
    assert verdicts["20 files of 4 KiB: memory"] == Verdict.MET
