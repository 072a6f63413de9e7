"""The contest, and what comes out of it."""

from benchmarks import rclone, smbclient
from benchmarks.contest import Results, hold
from benchmarks.data import Dataset
from benchmarks.listing.contestants import LSJSON, OURS, Entry
from benchmarks.programs import missing
from benchmarks.report import Report, Table, at_least
from benchmarks.setting import Setting
from benchmarks.site import build, doubts, serve_datasets

WANTED = 2.0


def run(setting: Setting) -> Report:
    """List 20,000 files in 421 folders. Raises ``BenchmarkFailed`` when somebody does not see all of them."""
    files = setting.scaled(20_000)
    dataset = Dataset("small", f"listing {files:,} files", setting.work / "share", files, file_bytes=16)
    build(setting, [dataset])
    with serve_datasets(setting, [dataset]) as server:
        results = hold(setting, dataset.title, dataset.folder, Entry(server, dataset).contestants())
    title = f"Listing {files:,} files in {dataset.folders:,} folders"
    return Report(
        name="listing",
        tables=[_table(title, results)],
        goals=[
            at_least(title, results.ratio(OURS, LSJSON, lambda turn: turn.files_per_second), WANTED, f"times {LSJSON}")
        ],
        notes=[*missing(rclone.PROGRAM, smbclient.PROGRAM), *doubts(server)],
        numbers=results.as_numbers(),
    )


def _table(title: str, results: Results) -> Table:
    rows = []
    for name in results.turns:
        ratio = results.ratio(name, LSJSON, lambda turn: turn.files_per_second)
        figures = [
            f"{results.median(name, lambda turn: turn.seconds):,.2f}",
            f"{results.median(name, lambda turn: turn.files_per_second):,.0f}",
            f"{results.median(name, lambda turn: turn.cpu_seconds):,.2f}",
            "-" if ratio is None else f"{ratio:,.2f}",
        ]
        rows.append([name, *figures])
    return Table(title, ["", "seconds", "files/s", "client CPU s", "times rclone"], rows)
