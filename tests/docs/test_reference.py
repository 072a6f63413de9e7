"""The tables of the reference, held against the code: settings, kinds of alerts, states of a version."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from streamweave.catalog.tables import AlertKind, VersionState
from streamweave.settings import Settings

NAME = re.compile(r"\b(?:STREAMWEAVE_[A-Z_]*[A-Z]|DAGSTER_HOME)\b")


def known_settings() -> list[str]:
    fields = Settings.model_fields.items()
    return sorted(str(field.validation_alias or f"STREAMWEAVE_{name}").upper() for name, field in fields)


def first_cells(document: Path, heading: str) -> list[str]:
    """The first cells of the tables' rows below a heading, as far as the next heading."""
    _, found, below = document.read_text().partition(f"\n{heading}\n")
    assert found, heading
    section = re.split(r"^#", below, maxsplit=1, flags=re.MULTILINE)[0]
    return [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]


def test_the_operating_guide_lists_every_setting_once(repository_root: Path) -> None:
    cells = first_cells(repository_root / "docs" / "operating.md", "### Settings")
    assert sorted(name for cell in cells for name in NAME.findall(cell)) == known_settings()


def test_no_document_names_a_setting_that_does_not_exist(repository_root: Path) -> None:
    documents = [repository_root / "README.md", *(repository_root / "docs").glob("*.md")]
    named = {name for document in documents for name in NAME.findall(document.read_text())}
    assert named - set(known_settings()) == set()


@pytest.mark.parametrize(
    ("document", "heading", "kinds"),
    [
        ("operating.md", "### Alerts", AlertKind),
        ("architecture.md", "## The catalog is the state machine", VersionState),
    ],
)
def test_a_table_has_a_row_for_each_kind(
    repository_root: Path, document: str, heading: str, kinds: type[StrEnum]
) -> None:
    cells = [cell.strip("`") for cell in first_cells(repository_root / "docs" / document, heading)]
    assert sorted(cells) == sorted([*kinds, cells[0], "---"])
