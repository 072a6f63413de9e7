"""``python -m benchmarks.catalog``: measures the catalog, and says which goals it meets."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.catalog.benchmark import Wishes
from benchmarks.catalog.benchmark import run as measure
from benchmarks.catalog.downloads import GIB
from benchmarks.catalog.report import as_json, as_markdown

Files = Annotated[list[int], typer.Option(min=300, help="Sizes of the catalog, the smallest first.")]
Requests = Annotated[int, typer.Option(min=1, help="Rounds, in each of which every question is asked once.")]
Huge = Annotated[float, typer.Option(min=0, help="Size in GiB of the file that is downloaded whole; it is sparse.")]
Plans = Annotated[bool, typer.Option("--plans", help="With the plans of all queries.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write all that was measured to this file.")]
MarkdownFile = Annotated[Path | None, typer.Option("--markdown", help="Write the tables to this file.")]


def run(
    files: Files = [10_000, 1_000_000],  # noqa: B006 - typer reads the default, and nobody changes it
    requests: Requests = 300,
    huge: Huge = 10.0,
    plans: Plans = False,
    json: JsonFile = None,
    markdown: MarkdownFile = None,
) -> None:
    """Fill catalogs, serve them, and take the times of everything that is asked of a catalog."""
    measured = measure(sorted(files), Wishes(requests, int(huge * GIB), plans), typer.echo)
    if json is not None:
        json.write_text(as_json(measured))
    if markdown is not None:
        markdown.write_text(as_markdown(measured))
    typer.echo(as_markdown(measured))


if __name__ == "__main__":
    typer.run(run)
