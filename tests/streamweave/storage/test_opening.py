"""From the catalog's row to a storage."""

from pathlib import Path

import pytest

from streamweave.catalog.tables.storage import StorageLocation
from streamweave.errors import StorageRefused
from streamweave.storage.opening import open_storage


def test_a_posix_location_opens_at_its_base_path(tmp_path: Path) -> None:
    storage = open_storage(StorageLocation(name="archive", type="posix", base_path=str(tmp_path)))
    assert storage.address("a/b") == str(tmp_path / "a/b")


@pytest.mark.parametrize(("kind", "path"), [("tape", "/archive"), ("posix", "archive")])
def test_what_can_not_be_opened_is_refused_by_name(kind: str, path: str) -> None:
    with pytest.raises(StorageRefused, match="'archive'"):
        open_storage(StorageLocation(name="archive", type=kind, base_path=path))
