"""The calls of hooks in one run: several files are asked about side by side, while no session and no lock is held.

The answers carry what they depend on, so that the caller can check under a lock whether they still hold.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Generic, TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import insert_many, is_one_of
from streamweave.catalog.tables import HookRun
from streamweave.catalog.tables.hooks import FAILURES
from streamweave.errors import HookFailed
from streamweave.hooks.base import Decision, HookContext, PostTransferHook, PreTransferHook
from streamweave.hooks.circuit_breaker import HookCircuitBreaker
from streamweave.hooks.external_hook import CalledHook
from streamweave.hooks.recorded_hook import HookSubject, RecordedHook
from streamweave.hooks.run import Enriched, decide, enrich

Result = TypeVar("Result")

AT_ONCE = 4
"""So many files are asked about side by side; a script is a process, and a receiver another facility's machine."""
BATCH = 100
"""After so many files their answers are written: what a killed run has to ask again."""
RUNS_KEPT = 20
"""Of the calls of one hook about one version, so many stay on record once it has failed: the newest."""
Outcome = TypeVar("Outcome")
AnyHook = PreTransferHook | PostTransferHook


@dataclass(frozen=True, slots=True)
class AnswerOfHook(Generic[Result]):
    """What came of asking about one version as it was ``shown``, and the rows of the calls."""

    shown: HookContext
    result: Result
    runs: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answers(Generic[Result]):
    """The answers about versions, by their ids, from the hooks of that fingerprint."""

    hooks_fingerprint: str
    by_version: Mapping[uuid.UUID, AnswerOfHook[Result]]

    def hold(self, hooks_fingerprint: str, version_id: uuid.UUID, shown: HookContext) -> bool:
        """Whether there is an answer about the version as it is shown now, by the hooks that there are now."""
        answer = self.by_version.get(version_id)
        return answer is not None and answer.shown == shown and self.hooks_fingerprint == hooks_fingerprint

    @property
    def results(self) -> dict[uuid.UUID, Result]:
        """The results, by version."""
        return {version_id: answer.result for version_id, answer in self.by_version.items()}

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The rows of all calls."""
        return list(chain.from_iterable(answer.runs for answer in self.by_version.values()))


@dataclass(frozen=True)
class Calls:
    """The calls of one run. ``now`` is our clock."""

    now: Callable[[], datetime]
    circuit: HookCircuitBreaker = field(default_factory=HookCircuitBreaker)

    def decisions(
        self, hooks: Sequence[PreTransferHook], fingerprint: str, subjects: Sequence[HookSubject]
    ) -> Answers[Decision | HookFailed]:
        """What the hooks of that fingerprint decide about each of the subjects, or why they can't."""

        def judge(hooks: Sequence[PreTransferHook], shown: HookContext) -> Decision | HookFailed:
            try:
                return decide(hooks, shown)
            except HookFailed as failure:
                return failure

        return Answers(fingerprint, self._side_by_side(judge, hooks, subjects))

    def enrichments(
        self, hooks: Sequence[PostTransferHook], fingerprint: str, subjects: Sequence[HookSubject]
    ) -> Answers[Enriched]:
        """What the hooks of that fingerprint find for each of the subjects."""
        return Answers(fingerprint, self._side_by_side(enrich, hooks, subjects))

    def _side_by_side(
        self,
        ask: Callable[[Sequence[Any], HookContext], Outcome],
        hooks: Sequence[AnyHook],
        subjects: Sequence[HookSubject],
    ) -> Mapping[uuid.UUID, AnswerOfHook[Outcome]]:
        def answer(subject: HookSubject) -> AnswerOfHook[Outcome]:
            watched = [self._watched(hook, subject) for hook in hooks]
            result = ask(watched, subject.shown)
            runs = chain.from_iterable(hook.runs for hook in watched if isinstance(hook, RecordedHook))
            return AnswerOfHook(subject.shown, result, list(runs))

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hook") as threads:
            answers = threads.map(answer, subjects)
            return {subject.version_id: found for subject, found in zip(subjects, answers, strict=True)}

    def _watched(self, hook: AnyHook, subject: HookSubject) -> AnyHook:
        return RecordedHook(hook, subject, self.circuit, self.now) if isinstance(hook, CalledHook) else hook


def call_out(hooks: Iterable[AnyHook]) -> bool:
    """Whether any of the hooks calls out."""
    return any(isinstance(hook, CalledHook) for hook in hooks)


def record_runs(session: Session, runs: Sequence[dict[str, Any]]) -> None:
    """Put calls on record. A file that waits for a hook for weeks doesn't fill the catalog with its failures."""
    insert_many(session, HookRun, runs)
    failed = {run["version_id"] for run in runs if run["outcome"] in FAILURES}
    if not failed:
        return
    place = func.row_number().over(
        partition_by=(HookRun.version_id, HookRun.hook_id), order_by=(HookRun.started_at.desc(), HookRun.id.desc())
    )
    placed = select(HookRun.id, place.label("place")).where(is_one_of(HookRun.version_id, failed)).subquery()
    outdated = select(placed.c.id).where(placed.c.place > RUNS_KEPT)
    session.execute(delete(HookRun).where(HookRun.id.in_(outdated)).execution_options(synchronize_session=False))
