"""``python -m soak``: kill, crash and break everything, and hold the archives against the source after each."""

import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from simlab.errors import NoShareServerError
from soak.errors import SoakFailed
from soak.experiments.crashes import crashes
from soak.experiments.disks import disks
from soak.experiments.kill_points import kill_points
from soak.experiments.places import places
from soak.experiments.power_failures import power_failures
from soak.experiments.random_kills import random_kills
from soak.experiments.restores import restores
from soak.experiments.scenarios import EXPECTATIONS, scenarios
from soak.experiments.services import services
from soak.experiments.twins import twins
from soak.ledger import Ledger
from soak.presentation import as_json, as_markdown, show
from soak.setting import SoakSetting
from soak.site import open_site
from soak.victims import victims

SOMETHING_WAS_LOST, NO_VERDICT = 1, 2
WIDTH = 160  # of tables in a log
LANES = 2
SERVICE_RUNS_AT_MOST = 3  # each starts the whole system twice

EXPERIMENTS: Final[Mapping[str, Callable[[SoakSetting], Ledger]]] = {
    "scenarios": lambda setting: scenarios(setting.site, setting.victims, setting.say, list(EXPECTATIONS)),
    "points": lambda setting: kill_points(setting.site, setting.victims, setting.say),
    "random": lambda setting: random_kills(
        setting.site, setting.lanes, setting.say, kills=setting.kills, seed=setting.seed
    ),
    "crashes": lambda setting: crashes(
        setting.site, setting.victims, setting.say, runs=setting.runs, seed=setting.seed
    ),
    "disks": lambda setting: disks(setting.site, setting.victims, setting.say, runs=setting.runs, seed=setting.seed),
    "power": lambda setting: power_failures(
        setting.site, setting.victims, setting.say, runs=setting.runs, seed=setting.seed
    ),
    "restores": lambda setting: restores(
        setting.site, setting.victims, setting.say, runs=setting.runs, seed=setting.seed
    ),
    "places": lambda setting: places(setting.site, setting.victims, setting.say, runs=setting.runs, seed=setting.seed),
    "twins": lambda setting: twins(setting.site, setting.victims, setting.say, runs=setting.runs, seed=setting.seed),
    "services": lambda setting: services(setting.site.work, setting.say, runs=min(setting.runs, SERVICE_RUNS_AT_MOST)),
}

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]…", help=f"Some of {', '.join(EXPERIMENTS)}; all without.")
]
KillsOption = Annotated[int, typer.Option(min=1, help="How many random kills there are to be, at least.")]
RunsOption = Annotated[int, typer.Option(min=1, help="How often each crash and each broken disk is tried.")]
SeedOption = Annotated[int | None, typer.Option(help="Repeats what chance decided. [default: another each time]")]
WorkOption = Annotated[Path | None, typer.Option(help="A folder to work in. [default: one for temporary files]")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write every run to this file.")]
MarkdownOption = Annotated[Path | None, typer.Option("--markdown", help="Write the tables to this file.")]


def main(
    names: NamesArgument = None,
    kills: KillsOption = 500,
    runs: RunsOption = 10,
    seed: SeedOption = None,
    work: WorkOption = None,
    json_file: JsonOption = None,
    markdown_file: MarkdownOption = None,
) -> None:
    """Kill, crash and break everything; exit with 1 if anything was lost, or was not as it should be."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    chosen = _chosen(names)
    seed = secrets.randbelow(10**6) if seed is None else seed
    ledgers: list[Ledger] = []
    try:
        with _setting(work, console, kills=kills, runs=runs, seed=seed) as setting:
            for name in chosen:
                ledgers.append(EXPERIMENTS[name](setting))
                show(ledgers[-1], console)
                if json_file:
                    json_file.write_text(as_json(ledgers, {"kills": kills, "runs": runs, "seed": seed}))
                if markdown_file:
                    markdown_file.write_text(as_markdown(ledgers))
    except (SoakFailed, NoShareServerError) as error:
        typer.echo(f"there is no verdict: {error}", err=True)
        raise typer.Exit(NO_VERDICT) from error
    if not all(ledger.is_sound for ledger in ledgers):
        console.print(f"Something was not as it should be; seed {seed} repeats it.")
        raise typer.Exit(SOMETHING_WAS_LOST)
    console.print("Nothing was lost.")


def _chosen(names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in EXPERIMENTS:
            raise typer.BadParameter(f"there is no experiment {name!r}: it is one of {', '.join(EXPERIMENTS)}")
    return names or list(EXPERIMENTS)


@contextmanager
def _setting(parent: Path | None, console: Console, *, kills: int, runs: int, seed: int) -> Iterator[SoakSetting]:
    def say(sentence: str) -> None:
        console.print(f"[dim]{sentence}[/dim]", highlight=False)

    with tempfile.TemporaryDirectory(prefix="streamweave-soak-", dir=parent) as folder, ExitStack() as started:
        work = Path(folder)
        work.chmod(0o755)  # one scenario serves as another user than root
        site = started.enter_context(open_site(work / "site"))
        lanes = [started.enter_context(victims(work)) for _ in range(LANES)]
        yield SoakSetting(site, lanes, say, kills, runs, seed)


if __name__ == "__main__":
    typer.run(main)
