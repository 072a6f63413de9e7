"""`streamweave harvest`: harvest one instrument here and now, without Dagster."""

from contextlib import closing
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import Instrument, VersionState
from streamweave.facility import Facility, facility_of
from streamweave.harvest.progress import HarvestReport
from streamweave.harvest.run import harvest as harvest_instrument
from streamweave.instruments.instruments import instrument_by_slug
from streamweave.instruments.schedules import destinations, why_no_destination
from streamweave.printable import printable
from streamweave_cli.running_system import HomeOption, settings_of
from streamweave_cli.terminal import UnknownName, folding_table, one_sentence, progress_shown, say, show_table

NOT_EVERYTHING_WORKED = 1

SlugArgument = Annotated[str, typer.Argument(metavar="INSTRUMENT", help="The instrument's slug.")]


def harvest(slug: SlugArgument, home: HomeOption = None) -> None:
    """Harvest an instrument: scan, wait for its quiet period, archive, enrich."""
    console = Console()
    with one_sentence(), closing(facility_of(settings_of(home))) as facility, progress_shown(console) as show:
        instrument = instrument_named(facility, slug)
        report = harvest_instrument(facility, instrument, say=partial(say, console), on_progress=show)
        with facility.sessions() as session:
            nowhere = "" if destinations(session, instrument.id) else why_no_destination(session, instrument.id)
    if report.days:
        show_table(console, _table(report))
    else:
        say(console, report.sentence())
    if report.pause:
        say(console, report.pause)
    for trouble in report.troubles:
        say(console, str(trouble), "red")
    if nowhere:
        say(console, f"nothing is archived: {nowhere}", "red")
    if nowhere or report.troubles or report.counts[VersionState.FAILED]:
        raise typer.Exit(NOT_EVERYTHING_WORKED)


def instrument_named(facility: Facility, slug: str) -> Instrument:
    """The instrument of that slug. Raises ``NotFound``."""
    with facility.sessions() as session:
        instrument = instrument_by_slug(session, slug)
        if instrument is None:
            known = session.scalars(listing(Instrument).with_only_columns(Instrument.slug))
            raise UnknownName("Instrument", slug, known)
    return instrument


def _table(report: HarvestReport) -> Table:
    table = folding_table("day", "file", "state", "bytes", "reason", title=Text(printable(report.sentence())))
    for day, day_report in sorted(report.days.items()):
        for file in day_report.files:
            cells = (f"{day}", file.source_path, file.state, f"{file.size_bytes:,}", file.reason)
            table.add_row(*(Text(printable(cell)) for cell in cells))
    return table
