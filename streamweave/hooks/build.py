"""Hooks made of their rows, whatever their implementation; and the fingerprint by which a change is detected.

A new built-in hook is one more line in ``BUILTINS``.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from streamweave.catalog.tables import Hook, HookImplementation
from streamweave.errors import InvalidInput
from streamweave.hooks.base import PostTransferHook, PreTransferHook
from streamweave.hooks.builtin import AccessAssignment, FileFilter, MetadataEnrichment
from streamweave.hooks.external_hook import CalledHook, HookReach, called_hook

PRE_TRANSFER: Mapping[str, Callable[[str, object], PreTransferHook]] = {"file_filter": FileFilter.configured}
POST_TRANSFER: Mapping[str, Callable[[str, object], PostTransferHook]] = {
    "metadata_enrichment": MetadataEnrichment.configured,
    "access_assignment": AccessAssignment.configured,
}
BUILTINS = {"pre_transfer": PRE_TRANSFER, "post_transfer": POST_TRANSFER}

AnyHook = TypeVar("AnyHook")


def build_hook(trigger: str, builtin_name: str | None, config: object) -> PreTransferHook | PostTransferHook:
    """The built-in hook that a row describes.

    Raises ``InvalidInput`` for ``trigger``, ``builtin_name`` or a field below ``config``.
    """
    if trigger not in BUILTINS:
        raise InvalidInput("trigger", f"must be one of {', '.join(BUILTINS)}")
    return build_pre_hook(builtin_name, config) if trigger == "pre_transfer" else build_post_hook(builtin_name, config)


def build_pre_hook(builtin_name: str | None, config: object, *, name: str = "") -> PreTransferHook:
    """A built-in hook that runs before transfers. ``name`` is what people call it; failures are reported under it.

    Raises ``InvalidInput`` for ``trigger``, ``builtin_name`` or a field below ``config``.
    """
    return _built(PRE_TRANSFER, builtin_name, config, name)


def build_post_hook(builtin_name: str | None, config: object, *, name: str = "") -> PostTransferHook:
    """A built-in hook that runs after transfers; otherwise as ``build_pre_hook``."""
    return _built(POST_TRANSFER, builtin_name, config, name)


def _built(
    hooks: Mapping[str, Callable[[str, object], AnyHook]], builtin_name: str | None, config: object, name: str
) -> AnyHook:
    for trigger, others in BUILTINS.items():
        if others is not hooks and builtin_name in others:
            raise InvalidInput("trigger", f"the hook {builtin_name} runs at {trigger}")
    if builtin_name is None or builtin_name not in hooks:
        known = ", ".join(known for those in BUILTINS.values() for known in those)
        raise InvalidInput("builtin_name", f"{builtin_name!r} is unknown; known hooks are {known}")
    return hooks[builtin_name](name or builtin_name, config)


def pre_hooks(rows: Sequence[Hook], reach: HookReach) -> list[PreTransferHook]:
    """Raises ``InvalidInput`` when a row's configuration can't be used."""
    return [
        build_pre_hook(row.builtin_name, row.config, name=row.name) if is_builtin(row) else called_hook(row, reach)
        for row in rows
    ]


def post_hooks(rows: Sequence[Hook], reach: HookReach) -> list[PostTransferHook]:
    """Raises ``InvalidInput`` when a row's configuration can't be used."""
    return [
        build_post_hook(row.builtin_name, row.config, name=row.name) if is_builtin(row) else called_hook(row, reach)
        for row in rows
    ]


def hooks_fingerprint(rows: Sequence[Hook], hooks: Sequence[PreTransferHook | PostTransferHook]) -> str:
    """What these hooks, in this order, come down to.

    Of a script its code is a part: another script under the old name decides anew. How long a hook may take and what
    follows from its failures changes no decision that was made.
    """
    return fingerprint(
        hook.made_of if isinstance(hook, CalledHook) else {"hook": row.builtin_name, "config": row.config}
        for row, hook in zip(rows, hooks, strict=True)
    )


def fingerprint(configs: Iterable[Mapping[str, object]]) -> str:
    """16 hexadecimal digits that change when any hook's settings or their order change.

    The mappings hold what JSON can hold. The order of keys doesn't matter; no hooks at all have a fingerprint too.
    """
    canonical = json.dumps([dict(config) for config in configs], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def is_builtin(row: Hook) -> bool:
    """Whether the hook is our own code."""
    return row.implementation in (None, HookImplementation.BUILTIN)
