"""Answers: what hooks said about many versions while nothing was locked, and whether it still counts."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

from streamweave.hooks.base import HookContext

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Told(Generic[Result]):
    """What came of asking about one version as it was ``shown``, and the rows of the calls."""

    shown: HookContext
    result: Result
    runs: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answers(Generic[Result]):
    """What was told about versions, by their ids, by the hooks of that fingerprint."""

    hooks_fingerprint: str
    told: Mapping[uuid.UUID, Told[Result]]

    def hold(self, hooks_fingerprint: str, version_id: uuid.UUID, shown: HookContext) -> bool:
        """Whether there is an answer about the version as it is shown now, by the hooks that there are now."""
        told = self.told.get(version_id)
        return told is not None and told.shown == shown and self.hooks_fingerprint == hooks_fingerprint

    @property
    def results(self) -> dict[uuid.UUID, Result]:
        """What was told, by version."""
        return {version_id: told.result for version_id, told in self.told.items()}

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The rows of all calls."""
        return list(chain.from_iterable(told.runs for told in self.told.values()))
