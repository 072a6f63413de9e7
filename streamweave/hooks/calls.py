"""Hooks asked in one run: about several files side by side, while no session and no lock is held.

The answers carry what they depend on, so that the caller can check under a lock whether they still hold. Every call of
a hook that calls out is recorded, and a hook that keeps timing out is skipped for the rest of the run, so that not all
files wait (``HookCircuitBreaker``).
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from threading import Condition
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.catalog.bulk import insert_many, is_one_of
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import HookRetry, HookRun
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.hooks import FAILURES, HookOutcome
from streamweave.errors import HookFailed, HookTimedOut, HookUnanswered
from streamweave.hooks.base import (
    Decision,
    Enrichment,
    HookContext,
    PostTransferHook,
    PreTransferHook,
    Proceed,
    Redirect,
    Skip,
)
from streamweave.hooks.external_hook import CalledHook, delay_after

Answer = TypeVar("Answer", Decision, Enrichment)
Result = TypeVar("Result")
AnyHook = PreTransferHook | PostTransferHook

TIMEOUTS_IN_A_ROW = 3
UNJUDGED = "; the file proceeds unjudged, as the hook's on_failure says"
_NEWEST = Order(HookRun.started_at, HookRun.id, newest_first=True)
AT_ONCE = 4
"""So many files are asked about side by side; a script is a process, and a receiver another facility's machine."""
BATCH = 100
"""After so many files their answers are written: what a killed run has to ask again."""
RUNS_KEPT = 20
"""Of the calls of one hook about one version, so many stay on record once it has failed: the newest."""


class HookCircuitBreaker:
    """What one run has seen of each hook, by its id. Safe to share between threads.

    Once a hook has timed out, no call begins while others are under way, so a dead hook costs a run its timeout, and
    not twice that.
    """

    def __init__(self) -> None:
        self._timeouts: Counter[uuid.UUID] = Counter()
        self._under_way: Counter[uuid.UUID] = Counter()
        self._changed = Condition()

    def begin(self, hook_id: uuid.UUID) -> None:
        """Before each call, which is to ``end``. Raises ``HookTimedOut`` when the hook is left alone."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_known(hook_id) or not self._under_way[hook_id])
            if self._timeouts[hook_id] >= TIMEOUTS_IN_A_ROW:
                raise HookTimedOut(
                    f"not asked: {TIMEOUTS_IN_A_ROW} times in a row it gave no answer in time; this run leaves it alone"
                )
            self._under_way[hook_id] += 1

    def _is_known(self, hook_id: uuid.UUID) -> bool:
        return not 0 < self._timeouts[hook_id] < TIMEOUTS_IN_A_ROW

    def end(self, hook_id: uuid.UUID) -> None:
        """After each call that was begun, whatever came of it."""
        with self._changed:
            self._under_way[hook_id] -= 1
            self._changed.notify_all()

    def timed_out(self, hook_id: uuid.UUID) -> None:
        """It gave no answer in its time."""
        with self._changed:
            self._timeouts[hook_id] += 1

    def answered(self, hook_id: uuid.UUID) -> None:
        """It gave an answer, or failed at once."""
        with self._changed:
            if self._timeouts[hook_id] < TIMEOUTS_IN_A_ROW:
                self._timeouts[hook_id] = 0


class HookFailures(NamedTuple):
    """How often in a row which hook has failed, under which hooks' fingerprint, and until when none is asked (UTC)."""

    failures: int = 0
    hook_id: uuid.UUID | None = None
    hooks: str | None = None
    retry_at: datetime | None = None

    def of(self, hook_id: uuid.UUID | None, hooks: str) -> int:
        """How often in a row this hook has failed, under the hooks of that fingerprint."""
        return self.failures if (self.hook_id, self.hooks) == (hook_id, hooks) else 0

    def after(self, failure: HookUnanswered, hooks: str, now: datetime) -> "HookFailures":
        """What follows from a further failure."""
        failures = self.of(failure.hook_id, hooks) + 1
        return HookFailures(failures, failure.hook_id, hooks, now + delay_after(failures, failure.delay_seconds))


ANSWERED = HookFailures()
"""Once the hooks have answered, nothing is left of their failures."""


def hook_failures(session: Session, version_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, HookFailures]:
    """The failures that are on record for those of the versions that have any."""
    columns = HookRetry.version_id, HookRetry.failures, HookRetry.hook_id, HookRetry.hooks, HookRetry.retry_at
    rows = session.connection().execute(select(*columns).where(is_one_of(HookRetry.version_id, version_ids)))
    return {version_id: HookFailures(*others) for version_id, *others in rows}


def record_hook_failures(session: Session, changes: Mapping[uuid.UUID, tuple[HookFailures, HookFailures]]) -> None:
    """Write what differs between the failures of versions before and after."""
    changed = {version_id: after for version_id, (before, after) in changes.items() if before != after}
    if changed:
        session.execute(delete(HookRetry).where(is_one_of(HookRetry.version_id, changed)))
        failing = {version_id: after for version_id, after in changed.items() if after != ANSWERED}
        insert_many(session, HookRetry, [{"version_id": each, **after._asdict()} for each, after in failing.items()])


@dataclass(frozen=True, slots=True)
class HookSubject:
    """A version that hooks are asked about, as they are shown it, and what their earlier failures have made of it."""

    file_id: uuid.UUID
    version_id: uuid.UUID
    shown: HookContext
    failures: HookFailures = ANSWERED


@dataclass(frozen=True, slots=True)
class RecordedHook:
    """``runs`` collects the rows of the calls that were made."""

    hook: CalledHook
    subject: HookSubject
    circuit: HookCircuitBreaker
    now: Callable[[], datetime]
    runs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.hook.name

    def decide(self, context: HookContext) -> Decision:
        """As the hook decides. Raises ``HookUnanswered``, unless the hook lets a file proceed after its attempts."""
        config = self.hook.config
        used_up = config.on_failure == "proceed" and self._failures + 1 >= config.attempts
        try:
            return self._asked(self.hook.decide, context, note=UNJUDGED if used_up else "")
        except HookFailed as failure:
            if used_up:
                return Proceed()
            raise self._unanswered(failure) from failure

    def enrich(self, context: HookContext) -> Enrichment:
        """As the hook enriches. Raises ``HookUnanswered``."""
        try:
            return self._asked(self.hook.enrich, context)
        except HookFailed as failure:
            raise self._unanswered(failure) from failure

    @property
    def _failures(self) -> int:
        before = self.subject.failures
        return before.failures if before.hook_id == self.hook.id else 0

    def _unanswered(self, failure: HookFailed) -> HookUnanswered:
        return HookUnanswered(str(failure), self.hook.id, self.hook.config.retry_delay_seconds)

    def _asked(self, ask: Callable[[HookContext], Answer], context: HookContext, note: str = "") -> Answer:
        try:
            self.circuit.begin(self.hook.id)
        except HookTimedOut as failure:
            if note:  # a file that is let through leaves a trace
                self._note(self.now(), time.monotonic(), HookOutcome.TIMED_OUT, f"{failure}{note}")
            raise
        try:
            return self._called(ask, context, note)
        finally:
            self.circuit.end(self.hook.id)

    def _called(self, ask: Callable[[HookContext], Answer], context: HookContext, note: str) -> Answer:
        at, began = self.now(), time.monotonic()
        try:
            answer = ask(context)
        except HookTimedOut as failure:
            self.circuit.timed_out(self.hook.id)
            self._note(at, began, HookOutcome.TIMED_OUT, f"{failure}{note}", failure.diagnostics)
            raise
        except HookFailed as failure:
            self.circuit.answered(self.hook.id)
            self._note(at, began, HookOutcome.FAILED, f"{failure}{note}", failure.diagnostics)
            raise
        self.circuit.answered(self.hook.id)
        self._note(at, began, *_outcome_of(answer))
        return answer

    def _note(self, at: datetime, began: float, outcome: HookOutcome, message: str, diagnostics: str = "") -> None:
        self.runs.append(
            {
                "id": uuid7(),
                "hook_id": self.hook.id,
                "file_id": self.subject.file_id,
                "version_id": self.subject.version_id,
                "trigger": self.hook.trigger,
                "started_at": at,
                "seconds": round(time.monotonic() - began, 3),
                "outcome": outcome,
                "message": message,
                "diagnostics": diagnostics or None,
            }
        )


def _outcome_of(answer: Decision | Enrichment) -> tuple[HookOutcome, str]:
    match answer:
        case Skip():
            return HookOutcome.SKIP, answer.reason
        case Redirect():
            return HookOutcome.REDIRECT, f"to '{answer.destination}': {answer.reason}"
        case Proceed():
            return HookOutcome.PROCEED, ""
        case _:
            return HookOutcome.ENRICHED, f"{len(answer.metadata)} metadata, {len(answer.grants)} grants"


def hook_runs(
    session: Session,
    request: PageRequest,
    *,
    hook_id: uuid.UUID | None = None,
    file_id: uuid.UUID | None = None,
    failed: bool = False,
) -> Page[HookRun]:
    """The runs, newest first: of one hook, about one file, or only those that failed."""
    query = select(HookRun).options(joinedload(HookRun.hook))
    if hook_id is not None:
        query = query.where(HookRun.hook_id == hook_id)
    if file_id is not None:
        query = query.where(HookRun.file_id == file_id)
    if failed:
        query = query.where(HookRun.outcome.in_(FAILURES))
    return page_of(session, query, _NEWEST, request, scope=f"{hook_id} {file_id} {failed}")


@dataclass(frozen=True, slots=True)
class Enriched:
    """What all post hooks found together, and what went wrong: each failure's message begins with its hook's name."""

    metadata: Mapping[str, str]
    grants: frozenset[Grantee | NamedGrantee] = frozenset()
    failures: tuple[HookFailed, ...] = ()


def decide(hooks: Sequence[PreTransferHook], context: HookContext) -> Decision:
    """The hooks' common decision: the first skip wins, else the last redirect, else the file proceeds.

    Raises ``HookFailed``, its message beginning with the hook's name: a file that can't be judged is not let through.
    """
    decision: Decision = Proceed()
    for hook in hooks:
        try:
            verdict = hook.decide(context)
        except HookFailed as failure:
            raise failure.of(hook.name) from failure
        if isinstance(verdict, Skip):
            return verdict
        if isinstance(verdict, Redirect):
            decision = verdict
    return decision


def enrich(hooks: Sequence[PostTransferHook], context: HookContext) -> Enriched:
    """What the hooks find, in order: each is shown what those before it found, and may override it.

    A hook that fails doesn't stop the others. Raises nothing of its own.
    """
    found: dict[str, str] = {}
    grants: frozenset[Grantee | NamedGrantee] = frozenset()
    failures: list[HookFailed] = []
    for hook in hooks:
        try:
            found_now = hook.enrich(replace(context, metadata={**context.metadata, **found}))
        except HookFailed as failure:
            failures.append(failure.of(hook.name))
        else:
            found |= found_now.metadata
            grants |= found_now.grants
    return Enriched(found, grants, tuple(failures))


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
        return {version_id: answer.result for version_id, answer in self.by_version.items()}

    @property
    def runs(self) -> list[dict[str, Any]]:
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
        ask: Callable[[Sequence[Any], HookContext], Result],
        hooks: Sequence[AnyHook],
        subjects: Sequence[HookSubject],
    ) -> Mapping[uuid.UUID, AnswerOfHook[Result]]:
        def answer(subject: HookSubject) -> AnswerOfHook[Result]:
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
