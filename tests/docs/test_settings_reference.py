"""The settings, as the operating guide lists them, held against the code that reads them."""

import re
from pathlib import Path

from streamweave.settings import Settings

REFERENCE = re.compile(r"^### Settings$(?P<table>.*?)^##", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"\b(?:STREAMWEAVE_[A-Z_]*[A-Z]|DAGSTER_HOME)\b")


def known() -> set[str]:
    return {
        str(field.validation_alias or f"STREAMWEAVE_{name}").upper() for name, field in Settings.model_fields.items()
    }


def test_the_operating_guide_lists_every_setting_once(repository_root: Path) -> None:
    found = REFERENCE.search((repository_root / "docs" / "operating.md").read_text())
    assert found
    first_cells = [line.split("|")[1] for line in found["table"].splitlines() if line.startswith("| `")]
    listed = [name for cell in first_cells for name in NAME.findall(cell)]
    assert sorted(listed) == sorted(known())


def test_no_document_names_a_setting_that_does_not_exist(repository_root: Path) -> None:
    documents = [repository_root / "README.md", *(repository_root / "docs").glob("*.md")]
    named = {(document.name, name) for document in documents for name in NAME.findall(document.read_text())}
    assert {(document, name) for document, name in named if name not in known()} == set()
