from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from streamweave.hooks.base import HookContext


@pytest.fixture
def context_of() -> Callable[..., HookContext]:
    """Makes the context of a file on the microscope from its source path and, if given, its size."""

    def context(source_path: str, size_bytes: int = 23) -> HookContext:
        filename = source_path.rpartition("/")[2]
        return HookContext("microscope_01", source_path, filename, size_bytes, datetime(2026, 2, 24, tzinfo=UTC))

    return context
