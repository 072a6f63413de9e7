"""Ledgers, shown on a terminal, as Markdown to be pasted, or as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from soak.ledger import Ledger, problems


def show(ledger: Ledger, console: Console) -> None:
    """For a person at a terminal."""
    table = ledger.table()
    shown = RichTable(title=table.title, title_justify="left")
    for number, column in enumerate(table.columns):
        shown.add_column(column, justify="left" if number == 0 or column == "reported" else "right")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)
    for sentence in (*ledger.notes, *problems(ledger)):
        console.print(sentence, highlight=False, markup=False)


def as_markdown(ledgers: Sequence[Ledger]) -> str:
    """For a document: every table, and what is to be said of it."""
    parts: list[str] = []
    for ledger in ledgers:
        table = ledger.table()
        right = ["---" if column == "reported" else "---:" for column in table.columns[1:]]
        lines = [f"| {' | '.join(table.columns)} |", f"| --- | {' | '.join(right)} |"]
        lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in table.rows]
        parts += [f"### {table.title}", "\n".join(lines), *ledger.notes]
    return "\n\n".join(parts) + "\n"


def as_json(ledgers: Sequence[Ledger], options: Mapping[str, Any]) -> str:
    """For machines: every run."""
    content = {
        "options": options,
        "experiments": {
            ledger.title: {"is_sound": ledger.is_sound, "notes": ledger.notes, "runs": list(map(asdict, ledger.runs))}
            for ledger in ledgers
        },
    }
    return json.dumps(content, indent=2) + "\n"
