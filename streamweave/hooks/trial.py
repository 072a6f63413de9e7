"""Trials: what a hook answers about a made-up file. Nothing is changed, recorded or retried."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.catalog.tables import Hook, HookTrigger
from streamweave.errors import HookFailed, InvalidInput
from streamweave.hooks.base import Decision, HookContext, Redirect, Skip
from streamweave.hooks.configuration import post_hooks, pre_hooks
from streamweave.hooks.external_hook import HookReach
from streamweave.validation import Rule, checked, integer, name, optional, shaped, text

LARGEST_SIZE = 2**63 - 1


@shaped(type="string", format="date-time")
def _time(field: str, value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise InvalidInput(field, "must be a time")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


@shaped(type="object", additionalProperties={"type": "string"})
def _metadata(field: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise InvalidInput(field, "must be an object of texts")
    return value


SAMPLE: dict[str, Rule] = {
    "instrument_slug": name,
    "source_path": text(),
    "size_bytes": integer(0, LARGEST_SIZE),
    "mtime": _time,
    "xxhash": optional(name),
    "sha256": optional(name),
    "metadata": _metadata,
}


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What the hook said: before a transfer a ``decision``, after one ``metadata`` and ``grants``."""

    seconds: float
    decision: str | None = None
    reason: str | None = None
    destination: str | None = None
    metadata: Mapping[str, str] | None = None
    grants: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class HookRefusal:
    """The hook said nothing that can be used: the kind of error, a sentence, and a script's standard error."""

    error_kind: str
    detail: str
    diagnostics: str | None


def sample_from(values: Mapping[str, Any]) -> HookContext:
    """The file that was made up; ``source_path`` is required. Raises ``InvalidInput``."""
    fields = checked(SAMPLE, values, required=("source_path",))
    filename = fields["source_path"].rpartition("/")[2]
    return HookContext(
        **{"instrument_slug": "sample", "size_bytes": 0, "mtime": datetime.now(UTC), "filename": filename, **fields}
    )


def try_hook(row: Hook, reach: HookReach, sample: HookContext) -> HookAnswer | HookRefusal:
    """Ask the hook about the file, once."""
    began = time.monotonic()
    try:
        if row.trigger == HookTrigger.PRE_TRANSFER:
            (before,) = pre_hooks([row], reach)
            decision = before.decide(sample)
            return _decided(decision, time.monotonic() - began)
        (after,) = post_hooks([row], reach)
        enrichment = after.enrich(sample)
        grants = tuple(sorted(map(_named, enrichment.grants)))
        return HookAnswer(time.monotonic() - began, metadata=enrichment.metadata, grants=grants)
    except (HookFailed, InvalidInput) as failure:
        diagnostics = failure.diagnostics if isinstance(failure, HookFailed) else ""
        return HookRefusal(failure.kind(), str(failure), diagnostics or None)


def _decided(decision: Decision, seconds: float) -> HookAnswer:
    match decision:
        case Skip():
            return HookAnswer(seconds, "skip", decision.reason)
        case Redirect():
            return HookAnswer(seconds, "redirect", decision.reason, decision.destination)
        case _:
            return HookAnswer(seconds, "proceed")


def _named(grantee: Grantee | NamedGrantee) -> str:
    return f"{grantee.type} {grantee.name if isinstance(grantee, NamedGrantee) else grantee.id}"
