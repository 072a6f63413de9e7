"""Running several hooks on one file, and the fingerprint of hooks."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.errors import HookFailed
from streamweave.hooks.base import Decision, HookContext, PostTransferHook, PreTransferHook, Proceed, Redirect, Skip


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


def fingerprint(configs: Iterable[Mapping[str, object]]) -> str:
    """16 hexadecimal digits that change when any hook's settings or their order change.

    The mappings hold what JSON can hold. The order of keys doesn't matter; no hooks at all have a fingerprint too.
    """
    canonical = json.dumps([dict(config) for config in configs], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
