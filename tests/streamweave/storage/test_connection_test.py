from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from streamweave.errors import StorageUnavailable
from streamweave.storage.locations import StorageAnswer, StorageRefusal, try_storage
from streamweave.storage.marks import Mark
from streamweave.storage.posix import PosixStorage

MARK = Mark(UUID(int=1), UUID(int=2), datetime(2026, 3, 1, tzinfo=UTC))


class Forgetful(PosixStorage):
    """A storage that gives back other bytes than it took."""

    def read_staged(self, staged_name: str) -> Iterator[bytes]:
        for chunk in super().read_staged(staged_name):
            yield chunk[::-1]


class Mute(PosixStorage):
    """A storage that takes bytes, and fails when it is asked for them."""

    def read_staged(self, staged_name: str) -> Iterator[bytes]:
        raise StorageUnavailable(f"{staged_name}: an I/O error")


def test_a_storage_that_gives_back_what_it_took_works(tmp_path: Path) -> None:
    storage = PosixStorage(tmp_path)
    storage.prepare(MARK, is_new=True)
    assert isinstance(try_storage(lambda: storage), StorageAnswer)
    assert storage.staged_names() == []


@pytest.mark.parametrize(("kind", "error_kind"), [(Forgetful, "copy_not_proven"), (Mute, "storage_unavailable")])
def test_a_probe_that_fails_leaves_nothing_either(tmp_path: Path, kind: type[PosixStorage], error_kind: str) -> None:
    storage = kind(tmp_path)
    storage.prepare(MARK, is_new=True)
    answer = try_storage(lambda: storage)
    assert isinstance(answer, StorageRefusal)
    assert answer.error_kind == error_kind
    assert storage.staged_names() == []
