"""Reports, shown on a terminal, as Markdown to be pasted, or as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.report import Report, Table, Verdict

COLOURS = {Verdict.MET: "green", Verdict.MISSED: "red", Verdict.NOT_MEASURED: "yellow"}


def show(report: Report, console: Console) -> None:
    """For a person at a terminal."""
    for table in _tables(report):
        shown = RichTable(title=table.title, title_justify="left")
        for number, column in enumerate(table.columns):
            shown.add_column(column, justify="left" if number == 0 else "right", no_wrap=number == 0)
        for row in table.rows:
            shown.add_row(*map(_coloured, row))
        console.print(shown)
    for note in report.notes:
        console.print(note, highlight=False)


def as_markdown(reports: Sequence[Report], machine: Mapping[str, Any]) -> str:
    """For a document: what it was measured on, and every table."""
    parts = [f"Measured on {', '.join(f'{name} {value}' for name, value in machine.items())}."]
    for report in reports:
        parts += [_markdown_table(table) for table in _tables(report)]
        parts += report.notes
    return "\n\n".join(parts) + "\n"


def as_json(reports: Sequence[Report], machine: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """For machines: every number, and the goals."""
    content = {
        "machine": machine,
        "options": options,
        "benchmarks": {
            report.name: {
                "goals": [asdict(goal) for goal in report.goals],
                "notes": list(report.notes),
                "numbers": report.numbers,
            }
            for report in reports
        },
    }
    return json.dumps(content, indent=2) + "\n"


def _tables(report: Report) -> list[Table]:
    goals = [[goal.what, goal.wanted, goal.reached, goal.verdict] for goal in report.goals]
    return [*report.tables, *([Table("Goals", ["", "wanted", "measured", ""], goals)] if goals else [])]


def _coloured(cell: str) -> str:
    colour = next((colour for verdict, colour in COLOURS.items() if cell == verdict), None)
    return f"[{colour}]{cell}[/{colour}]" if colour else cell


def _markdown_table(table: Table) -> str:
    head = f"| {' | '.join(table.columns)} |"
    rule = f"| --- |{' ---: |' * (len(table.columns) - 1)}"
    rows = [f"| {' | '.join(row)} |" for row in table.rows]
    return "\n".join([f"**{table.title}**", "", head, rule, *rows])
