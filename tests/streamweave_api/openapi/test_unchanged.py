"""The OpenAPI document is the committed one, but for its wording and the release's number.

A change that is meant renews it, and the difference is reviewed with the change:

    RENEW_OPENAPI=1 .venv/bin/python -m pytest tests/streamweave_api/openapi/test_unchanged.py
"""

import json
import os
from pathlib import Path
from typing import Any

COMMITTED = Path(__file__).with_name("document.json")
WORDING = {"summary", "description", "title", "example", "examples", "externalDocs"}


def without_wording(part: Any, *, names_fields: bool = False) -> Any:
    """``part`` without what is only read by people; below ``properties`` such a word is the name of a field."""
    if isinstance(part, dict):
        return {
            key: without_wording(value, names_fields=key == "properties")
            for key, value in part.items()
            if names_fields or key not in WORDING
        }
    return [without_wording(each) for each in part] if isinstance(part, list) else part


def test_the_document_is_the_committed_one_but_for_its_wording(document: dict[str, Any]) -> None:
    found = without_wording(document)
    del found["info"]["version"]
    if os.environ.get("RENEW_OPENAPI"):
        COMMITTED.write_text(json.dumps(found, sort_keys=True, separators=(",", ":")) + "\n")
    committed = json.loads(COMMITTED.read_text())
    assert found["paths"].keys() == committed["paths"].keys()
    for path, operations in found["paths"].items():
        assert operations == committed["paths"][path], path
    assert found["components"]["schemas"].keys() == committed["components"]["schemas"].keys()
    for name, schema in found["components"]["schemas"].items():
        assert schema == committed["components"]["schemas"][name], name
    assert found == committed
