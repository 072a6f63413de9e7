"""The hooks that are built in, and how a configured row becomes one. A new one is one more line in its table."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from streamweave.errors import InvalidInput
from streamweave.hooks.access_assignment import AccessAssignment
from streamweave.hooks.base import PostTransferHook, PreTransferHook
from streamweave.hooks.file_filter import FileFilter
from streamweave.hooks.metadata_enrichment import MetadataEnrichment

PRE_TRANSFER: Mapping[str, Callable[[str, object], PreTransferHook]] = {
    "file_filter": FileFilter.configured,
}
POST_TRANSFER: Mapping[str, Callable[[str, object], PostTransferHook]] = {
    "metadata_enrichment": MetadataEnrichment.configured,
    "access_assignment": AccessAssignment.configured,
}
BUILTINS = {"pre_transfer": PRE_TRANSFER, "post_transfer": POST_TRANSFER}

Hook = TypeVar("Hook")


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
    hooks: Mapping[str, Callable[[str, object], Hook]], builtin_name: str | None, config: object, name: str
) -> Hook:
    for trigger, others in BUILTINS.items():
        if others is not hooks and builtin_name in others:
            raise InvalidInput("trigger", f"the hook {builtin_name} runs at {trigger}")
    if builtin_name is None or builtin_name not in hooks:
        known = ", ".join(known for those in BUILTINS.values() for known in those)
        raise InvalidInput("builtin_name", f"{builtin_name!r} is unknown; known hooks are {known}")
    return hooks[builtin_name](name or builtin_name, config)
