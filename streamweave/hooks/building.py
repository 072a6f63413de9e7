"""Hooks made of their rows, whatever their implementation, and the fingerprint that tells whether they have changed."""

from collections.abc import Sequence

from streamweave.catalog.tables import Hook, HookImplementation
from streamweave.hooks.base import PostTransferHook, PreTransferHook
from streamweave.hooks.calling.called import CalledHook, called_hook
from streamweave.hooks.calling.reach import Reach
from streamweave.hooks.registry import build_post_hook, build_pre_hook
from streamweave.hooks.running import fingerprint


def pre_hooks(rows: Sequence[Hook], reach: Reach) -> list[PreTransferHook]:
    """Raises ``InvalidInput`` when a row's configuration can't be used."""
    return [
        build_pre_hook(row.builtin_name, row.config, name=row.name) if is_builtin(row) else called_hook(row, reach)
        for row in rows
    ]


def post_hooks(rows: Sequence[Hook], reach: Reach) -> list[PostTransferHook]:
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


def is_builtin(row: Hook) -> bool:
    """Whether the hook is our own code."""
    return row.implementation in (None, HookImplementation.BUILTIN)
