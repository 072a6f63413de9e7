"""A hook that calls out, asked about one file with every call recorded; and what its failures mean for the file."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import FileVersion, HookRun
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.hooks import FAILURES, HookOutcome
from streamweave.errors import HookFailed, HookTimedOut, HookUnanswered
from streamweave.hooks.base import Decision, Enrichment, HookContext, Proceed, Redirect, Skip
from streamweave.hooks.circuit_breaker import HookCircuitBreaker
from streamweave.hooks.external_hook import CalledHook, delay_after

Answer = TypeVar("Answer", Decision, Enrichment)
UNJUDGED = "; the file proceeds unjudged, as the hook's on_failure says"
_NEWEST = Order(HookRun.started_at, HookRun.id, newest_first=True)


class HookRetry(NamedTuple):
    """How often in a row which hook has failed, under hooks of which fingerprint, and until when none is asked."""

    hook_failures: int = 0
    failing_hook_id: uuid.UUID | None = None
    failing_hooks: str | None = None
    hook_retry_at: datetime | None = None

    def failures_of(self, hook_id: uuid.UUID | None, hooks: str) -> int:
        """How often in a row this hook has failed, under the hooks of that fingerprint."""
        return self.hook_failures if (self.failing_hook_id, self.failing_hooks) == (hook_id, hooks) else 0

    def after(self, failure: HookUnanswered, hooks: str, now: datetime) -> Self:
        """What follows from a further failure."""
        failures = self.failures_of(failure.hook_id, hooks) + 1
        return self._replace(
            hook_failures=failures,
            failing_hook_id=failure.hook_id,
            failing_hooks=hooks,
            hook_retry_at=now + delay_after(failures, failure.delay_seconds),
        )


ANSWERED = HookRetry()
"""Once the hooks have answered, nothing is left of their failures."""
WAITING_COLUMNS = [getattr(FileVersion, name) for name in HookRetry._fields]
"""As ``HookRetry`` takes them."""


@dataclass(frozen=True, slots=True)
class HookSubject:
    """A version that hooks are asked about, as they are shown it, and what their earlier failures have made of it."""

    file_id: uuid.UUID
    version_id: uuid.UUID
    shown: HookContext
    waiting: HookRetry = ANSWERED


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
        """What people call the hook."""
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
        waiting = self.subject.waiting
        return waiting.hook_failures if waiting.failing_hook_id == self.hook.id else 0

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
