"""`streamweave verify`: compare archive and catalog completely, both ways."""

import json
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.orm import Session

from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import StorageLocation
from streamweave.facility import Facility, facility_of
from streamweave.preservation.verification import FindingKind, VerificationReport, verify_location
from streamweave.printable import printable
from streamweave_cli.running_system import HomeOption, settings_of
from streamweave_cli.terminal import (
    CANNOT_BE_DONE,
    UnknownName,
    folding_table,
    one_sentence,
    progress_shown,
    say,
    show_table,
)

THEY_DIFFER = 1
SHOWN = 50
"""Of each kind, so many differences are shown; the JSON names more."""

HEADINGS = {
    FindingKind.DAMAGED: "other bytes",
    FindingKind.MISSING: "row without bytes",
    FindingKind.UNREADABLE: "unreadable",
    FindingKind.UNREPAIRED: "damaged before, not repaired",
    FindingKind.ORPHAN: "bytes without row",
    FindingKind.LEFTOVER: "staged leftover",
}


def verify(
    locations: Annotated[
        list[str] | None, typer.Argument(metavar="[LOCATION]…", help="Names of storage locations; all of them if none.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Check that each copy exists and has its size; hash nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    home: HomeOption = None,
) -> None:
    """Compare archive and catalog both ways: exit code 1 when they differ, 2 when a location can't be compared."""
    with one_sentence(), closing(facility_of(settings_of(home))) as facility:
        if exit_code := verify_and_show(facility, locations or [], quick=quick, as_json=as_json):
            raise typer.Exit(exit_code)


def verify_and_show(facility: Facility, names: list[str], *, quick: bool, as_json: bool) -> int:
    """Compare locations of these names, or all, and show the differences; returns the exit code of `verify`.

    Raises ``NotFound``.
    """
    console, beside = Console(), Console(stderr=True)
    with facility.sessions() as session:
        chosen = _chosen(session, names)
    reports = []
    for location in chosen:
        with progress_shown(beside) as show:
            reports.append(verify_location(facility, location, quick=quick, on_progress=show))
    if as_json:
        typer.echo(json.dumps(_as_json(reports, quick=quick), indent=2, ensure_ascii=True))
    else:
        _show(console, reports)
    # one that is disabled may well be away; its differences count all the same
    if any(report.trouble and (location.enabled or names) for report, location in zip(reports, chosen, strict=True)):
        return CANNOT_BE_DONE
    return THEY_DIFFER if any(report.counts.total() for report in reports) else 0


def _chosen(session: Session, names: list[str]) -> list[StorageLocation]:
    """The locations of these names, or all of them. Raises ``NotFound``."""
    known = {each.name: each for each in session.scalars(listing(StorageLocation).order_by(StorageLocation.name))}
    for name in names:
        if name not in known:
            raise UnknownName("Storage location", name, known)
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def _show(console: Console, reports: list[VerificationReport]) -> None:
    table = folding_table("location", "copies", "bytes", "differences")
    for report in reports:
        counts = [f"{number:,} {heading}" for kind, heading in HEADINGS.items() if (number := report.counts[kind])]
        differences = ", ".join(counts) or ("not compared to the end" if report.trouble else "none")
        name = Text(printable(report.location))
        table.add_row(name, f"{report.files:,}", f"{report.bytes:,}", differences)
    show_table(console, table)
    for report in reports:
        for kind, heading in HEADINGS.items():
            _show_kind(console, report, kind, heading)
        _show_conflicts(console, report)
        for sentence in filter(None, [report.held, str(report.trouble or "")]):
            say(console, f"{report.location}: {sentence}", "red")
        if report.notice:
            say(console, f"{report.location}: {report.notice}", "yellow")
    if not any(report.trouble or report.counts.total() for report in reports):
        console.print("archive and catalog agree")


def _show_kind(console: Console, report: VerificationReport, kind: FindingKind, heading: str) -> None:
    differences = [each for each in report.named if each.kind == kind]
    for each in differences[:SHOWN]:
        source = f" ({each.source_path})" if each.source_path else ""
        found = f": {each.found}" if each.found else ""
        say(console, f"{heading}: {each.address}{source}{found}")
    if (more := report.counts[kind] - SHOWN) > 0:
        say(console, f"{heading}: {more:,} more in {report.location}")


def _show_conflicts(console: Console, report: VerificationReport) -> None:
    if (conflicts := report.journal_conflicts) is None:
        return
    say(console, f"{report.location}: {conflicts.sentence()}")
    for conflict in conflicts.named[:SHOWN]:
        say(console, f"journal and catalog differ: {conflict}")
    if (more := len(conflicts.named) - SHOWN) > 0:
        say(console, f"journal and catalog differ: {more:,} more in {report.location}")


def _as_json(reports: list[VerificationReport], *, quick: bool) -> dict[str, Any]:
    return {
        "quick": quick,
        "differences": sum(report.counts.total() for report in reports),
        "locations": [
            {
                "name": report.location,
                "copies": report.files,
                "bytes": report.bytes,
                "counts": {kind: report.counts[kind] for kind in FindingKind},
                "named": [asdict(each) for each in report.named],
                "journal_conflicts": report.journal_conflicts.named if report.journal_conflicts else [],
                "illegible_journal_lines": report.journal_conflicts.illegible if report.journal_conflicts else 0,
                "held": report.held or None,
                "trouble": str(report.trouble) if report.trouble else None,
                "notice": report.notice or None,
            }
            for report in reports
        ],
    }
