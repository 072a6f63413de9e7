"""The contests: many small files, fewer larger ones, and a single very large one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import rclone, smbclient
from benchmarks.contest import Results, Turn, hold
from benchmarks.data import Dataset
from benchmarks.programs import missing
from benchmarks.report import Goal, Report, Table, at_least, at_most
from benchmarks.setting import Setting
from benchmarks.site import doubts, open_site
from benchmarks.transfer.contestants import COPY, COPYTO, CP, DD, OURS, Entry
from benchmarks.transfer.harvest_process import PHASES

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MOST_MEMORY_MIB = 300


@dataclass(frozen=True)
class Discipline:
    """What is transferred, and how many times the pace of others ours has to reach."""

    dataset: Dataset
    wanted: Sequence[tuple[str, float]]

    @property
    def figure(self) -> Callable[[Turn], float]:
        """The pace that is compared: a single file has one in bytes only."""
        return _mib_per_second if self.dataset.files == 1 else _files_per_second


def run(setting: Setting) -> Report:
    """Hold every contest. Raises ``BenchmarkFailed`` when a contestant fails, or did not do what it was timed for."""
    disciplines = _disciplines(setting)
    results: list[tuple[Discipline, Results]] = []
    with open_site(setting, [discipline.dataset for discipline in disciplines]) as site:
        for discipline in disciplines:
            dataset = discipline.dataset
            entry = Entry(setting, site, dataset)
            many = dataset.files > 1
            contestants = entry.contestants_for_many_files() if many else entry.contestants_for_one_file()
            held = hold(setting, dataset.title, dataset.folder, contestants, written=dataset.files)
            results.append((discipline, held))
    return Report(
        name="transfer",
        tables=[*[_paces(*each) for each in results], _phases(results)],
        goals=[goal for each in results for goal in _goals(*each)],
        notes=[*missing(rclone.PROGRAM, smbclient.PROGRAM), *doubts(site.server)],
        numbers={discipline.dataset.name: result.as_numbers() for discipline, result in results},
    )


def _disciplines(setting: Setting) -> list[Discipline]:
    small, medium, large = setting.scaled(20_000), setting.scaled(2_000), setting.scaled(2 * GIB)
    folder = setting.work / "shares"
    return [
        Discipline(
            Dataset("small", f"{small:,} files of 4 KiB", folder / "small", small, 4 * KIB),
            [(COPYTO, 70), (COPY, 1.5)],
        ),
        Discipline(
            Dataset("medium", f"{medium:,} files of 64 KiB", folder / "medium", medium, 64 * KIB), [(COPY, 1.5)]
        ),
        Discipline(
            Dataset("large", f"one file of {large / MIB:,.0f} MiB", folder / "large", 1, large),
            [(COPYTO, 4), (CP, 1 / 3)],
        ),
    ]


def _files_per_second(turn: Turn) -> float:
    return turn.files_per_second


def _mib_per_second(turn: Turn) -> float:
    return turn.mib_per_second


def _paces(discipline: Discipline, results: Results) -> Table:
    others = [name for name in (COPYTO, COPY, CP, DD) if name in results.turns]
    rows = [
        [
            name,
            f"{results.median(name, lambda turn: turn.seconds):,.2f}",
            f"{results.median(name, _files_per_second):,.1f}",
            f"{results.median(name, _mib_per_second):,.1f}",
            f"{results.median(name, lambda turn: turn.cpu_seconds):,.2f}",
            *[f"{results.ratio(name, other, discipline.figure):,.2f}" for other in others],
        ]
        for name in results.turns
    ]
    columns = ["", "seconds", "files/s", "MiB/s", "client CPU s", *[f"times {other}" for other in others]]
    return Table(discipline.dataset.title, columns, rows)


def _phases(results: Sequence[tuple[Discipline, Results]]) -> Table:
    """Where the time of our harvest goes."""
    rows = [
        [
            discipline.dataset.title,
            *[
                f"{_detail(result, f'{phase}_seconds'):,.2f} ({_detail(result, f'{phase}_cpu_seconds'):,.2f})"
                for phase in PHASES
            ],
            f"{_detail(result, 'peak_bytes') / MIB:,.0f} MiB",
        ]
        for discipline, result in results
    ]
    columns = ["seconds (of them CPU)", *PHASES, "peak memory"]
    return Table("Our harvest, step by step", columns, rows)


def _detail(results: Results, name: str) -> float:
    return results.median(OURS, lambda turn: turn.details[name])


def _goals(discipline: Discipline, results: Results) -> list[Goal]:
    title = discipline.dataset.title
    paces = [
        at_least(title, results.ratio(OURS, other, discipline.figure), factor, f"times {other}")
        for other, factor in discipline.wanted
    ]
    peak = max(turn.details["peak_bytes"] for turn in results.turns[OURS]) / MIB
    return [*paces, at_most(f"{title}: memory", peak, MOST_MEMORY_MIB, "MiB")]
