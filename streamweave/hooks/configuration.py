"""Hooks as they are configured: creating, changing, deleting and building them, and which ones run.

The caller commits. A webhook's secret is sealed as it comes in, and never shown.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import or_
from sqlalchemy.orm import Session

from streamweave.access.grants import referable_grantee
from streamweave.catalog.deletion import (
    listing,
    mark_deleted,
    mark_restored,
    present,
    referable,
    require_present,
    to_delete,
    to_restore,
)
from streamweave.catalog.session import add, change
from streamweave.catalog.tables import Hook, HookImplementation, HookTrigger, Instrument
from streamweave.errors import Conflict, HookFailed, InvalidInput
from streamweave.hooks.base import PostTransferHook, PreTransferHook, read_config
from streamweave.hooks.builtin import AccessAssignment, BuiltinHook, FileFilter, MetadataEnrichment
from streamweave.hooks.external_hook import CallConfig, CalledHook, HookReach, ScriptConfig, WebhookConfig, called_hook
from streamweave.hooks.scripts import SCRIPT_PATH, check_script_path
from streamweave.hosts import address_of
from streamweave.storage.locations import storage_location_by_name
from streamweave.validation import (
    LONGEST_NAME,
    Rule,
    checked,
    flag,
    identity,
    integer,
    name,
    one_word_of,
    optional,
    shaped,
    shaped_text,
    text,
)
from streamweave.webhooks import LONGEST_URL, SECRET_PATTERN, WEBHOOK_URL, EgressPolicy, check_url, signing_key

NEEDS: Mapping[str, str] = {
    HookImplementation.BUILTIN: "builtin_name",
    HookImplementation.PYTHON_SCRIPT: "script_path",
    HookImplementation.HTTP_WEBHOOK: "webhook_url",
}
CONFIGS: Mapping[str, type[CallConfig]] = {
    HookImplementation.PYTHON_SCRIPT: ScriptConfig,
    HookImplementation.HTTP_WEBHOOK: WebhookConfig,
}
MADE_OF = ("trigger", "implementation", "builtin_name", "script_path", "webhook_url", "config")
SCRIPTED = frozenset({"implementation", "script_path"})
SECRET = "webhook_secret"
SEALED = "sealed_webhook_secret"

HIGHEST_PRIORITY = 1_000_000


def settled(fields: Mapping[str, Any], known: Hook | None, reach: HookReach) -> dict[str, Any]:
    """The fields of a new hook, or of a change to a ``known`` one, in the form in which they are kept.

    A known secret is kept for the same address only. Raises ``InvalidInput`` or ``SealBroken``.
    """
    kept = {field: value for field, value in fields.items() if field != SECRET}
    whole = Hook(**{field: fields.get(field, getattr(known, field, None)) for field in MADE_OF})
    _check_needs(whole)
    if whole.implementation in CONFIGS:
        _check_config(whole)
    if whole.implementation == HookImplementation.PYTHON_SCRIPT and (known is None or SCRIPTED & fields.keys()):
        _check_script(whole, reach)
    if whole.implementation == HookImplementation.HTTP_WEBHOOK:
        return {**kept, SEALED: _sealed(whole, fields.get(SECRET), known, reach)}
    if SECRET in fields:
        raise InvalidInput(SECRET, "is for hooks of the implementation http_webhook only")
    return {**kept, SEALED: None}


def _check_needs(whole: Hook) -> None:
    for implementation, field in NEEDS.items():
        value = getattr(whole, field)
        if implementation == whole.implementation and value is None:
            raise InvalidInput(field, "is required")
        if implementation != whole.implementation and value is not None:
            raise InvalidInput(field, f"must be null for a hook of the implementation {whole.implementation}")


def _check_config(whole: Hook) -> None:
    config = read_config(CONFIGS[whole.implementation], whole.config)
    if config.on_failure == "proceed" and whole.trigger != HookTrigger.PRE_TRANSFER:
        raise InvalidInput("config.on_failure", "must be wait: only a hook before a transfer can let a file proceed")


def _check_script(whole: Hook, reach: HookReach) -> None:
    try:
        reach.script(str(whole.script_path))
    except HookFailed as failure:
        raise InvalidInput("script_path", str(failure)) from failure


def _sealed(whole: Hook, secret: str | None, known: Hook | None, reach: HookReach) -> bytes:
    url = str(whole.webhook_url)
    _check_reachable(url, reach.egress)
    if secret is not None:
        return reach.sealed(secret)
    if known is not None and known.sealed_webhook_secret is not None and known.webhook_url == url:
        return known.sealed_webhook_secret
    raise InvalidInput(SECRET, "is required, also for another address")


def _check_reachable(url: str, policy: EgressPolicy) -> None:
    """As far as it can be checked without a connection: what a name resolves to is checked at every call."""
    parts = check_url(url)
    encrypted = parts.scheme == "https"
    if not encrypted and not policy.networks:
        raise InvalidInput("webhook_url", "must begin with https://: STREAMWEAVE_WEBHOOK_NETWORKS lists no network")
    address = address_of(parts.host)
    if address is not None and not (policy.allows if encrypted else policy.allows_http)(address):
        raise InvalidInput("webhook_url", "is an address that webhooks may not reach")


def hook_by_id(session: Session, hook_id: uuid.UUID) -> Hook:
    """Raises ``NotFound``."""
    return present(session, Hook, hook_id, "Hook")


def active_hooks(session: Session, instrument_id: uuid.UUID, trigger: HookTrigger) -> list[Hook]:
    """The enabled hooks that run for an instrument, the global ones among them, in the order in which they run."""
    concerned = or_(Hook.instrument_id.is_(None), Hook.instrument_id == instrument_id)
    query = listing(Hook).where(concerned, Hook.trigger == trigger, Hook.enabled)
    return list(session.scalars(query.order_by(Hook.priority, Hook.created_at, Hook.id)))


def create_hook(session: Session, values: Mapping[str, Any], reach: HookReach | None = None) -> Hook:
    """A new hook: ``name``, ``trigger`` and what its ``implementation`` needs; optionally ``config`` and so on.

    It must be one that can be built within ``reach``, and may redirect only to storage locations that exist.
    Raises ``InvalidInput``, or ``SealBroken`` for a secret that can't be sealed.
    """
    given = checked(FIELDS, values, required=("name", "trigger"))
    fields = {"implementation": HookImplementation.BUILTIN.value, "config": {}, **given}
    hook = Hook(**settled(fields, None, reach or HookReach()))
    _check_built(session, hook)
    _check_instrument(session, fields)
    return add(session, hook)


def update_hook(
    session: Session, hook_id: uuid.UUID, changes: Mapping[str, Any], reach: HookReach | None = None
) -> Hook:
    """Change the given fields; the result must be a hook that can be built within ``reach``.

    A webhook whose address stays keeps its secret. Raises ``NotFound``, ``InvalidInput`` or ``SealBroken``.
    """
    hook = hook_by_id(session, hook_id)
    fields = settled(checked(FIELDS, changes), hook, reach or HookReach())
    _check_built(session, Hook(**{field: fields.get(field, getattr(hook, field)) for field in MADE_OF}))
    _check_instrument(session, fields)
    return change(session, hook, fields)


def delete_hook(session: Session, hook_id: uuid.UUID) -> None:
    """Delete a hook; it can be restored. Raises ``NotFound``."""
    mark_deleted(session, [to_delete(session, Hook, hook_id, "Hook")])


def restore_hook(session: Session, hook_id: uuid.UUID) -> Hook:
    """Restore a deleted hook.

    Raises ``NotFound``, or ``Conflict`` while its instrument is deleted, or when it can't be built any more.
    """
    hook = to_restore(session, Hook, hook_id, "Hook")
    if hook.instrument_id is not None:
        require_present(session, Instrument, hook.instrument_id, "instrument")
    try:
        _check_built(session, hook)
    except InvalidInput as error:
        raise Conflict(str(error)) from error
    mark_restored(session, [hook])
    return hook


@shaped(type="object")
def _config(field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(field, "must be an object")
    if "\\u0000" in json.dumps(value):
        raise InvalidInput(field, "must not hold NUL characters")
    return value


@shaped_text(min_length=4, max_length=LONGEST_NAME, pattern=SCRIPT_PATH)
def _script_path(field: str, value: Any) -> str:
    return _accepted(check_script_path, field, name(field, value))


@shaped_text(min_length=10, max_length=LONGEST_URL, pattern=WEBHOOK_URL)
def _webhook_url(field: str, value: Any) -> str:
    return _accepted(check_url, field, text(longest=LONGEST_URL)(field, value))


@shaped_text(pattern=SECRET_PATTERN)
def _webhook_secret(field: str, value: Any) -> str:
    _accepted(signing_key, field, text()(field, value))
    return str(value)


def _accepted(check: Callable[[str], Any], field: str, value: str) -> str:
    try:
        check(value)
    except ValueError as error:
        raise InvalidInput(field, str(error)) from None
    return value


FIELDS: dict[str, Rule] = {
    "name": name,
    "description": optional(text(lines=True)),
    "trigger": one_word_of(*HookTrigger),
    "implementation": one_word_of(*HookImplementation),
    "builtin_name": optional(name),
    "script_path": optional(_script_path),
    "webhook_url": optional(_webhook_url),
    "webhook_secret": _webhook_secret,
    "config": _config,
    "instrument_id": optional(identity),
    "priority": integer(-HIGHEST_PRIORITY, HIGHEST_PRIORITY),
    "enabled": flag,
}


def _check_built(session: Session, hook: Hook) -> None:
    if not is_builtin(hook):
        return  # what it redirects to and grants it says when it is asked
    built = build_hook(hook.trigger, hook.builtin_name, hook.config)
    for index, rule in enumerate(hook.config.get("redirect_rules", [])):
        if storage_location_by_name(session, rule["destination"]) is None:
            problem = f"there is no storage location named {rule['destination']}"
            raise InvalidInput(f"config.redirect_rules[{index}].destination", problem)
    for index, grantee in enumerate(built.literal_grantees if isinstance(built, AccessAssignment) else ()):
        if grantee is not None and referable_grantee(session, grantee) is None:
            raise InvalidInput(f"config.grants[{index}].grantee_id", f"there is no such {grantee.type}")


def _check_instrument(session: Session, fields: Mapping[str, Any]) -> None:
    instrument_id = fields.get("instrument_id")
    if instrument_id is not None and referable(session, Instrument, instrument_id) is None:
        raise InvalidInput("instrument_id", "there is no such instrument")


BUILTINS: Mapping[str, Mapping[str, Callable[[str, object], BuiltinHook[Any]]]] = {
    "pre_transfer": {"file_filter": FileFilter.configured},
    "post_transfer": {
        "metadata_enrichment": MetadataEnrichment.configured,
        "access_assignment": AccessAssignment.configured,
    },
}
"""By trigger and name; a new built-in hook is one more line."""


def build_hook(trigger: str, builtin_name: str | None, config: object, *, name: str = "") -> BuiltinHook[Any]:
    """A built-in hook: a ``PreTransferHook`` or a ``PostTransferHook``, as the trigger says.

    ``name`` is what people call it; failures are reported under it. Raises ``InvalidInput`` for ``trigger``,
    ``builtin_name`` or a field below ``config``.
    """
    if trigger not in BUILTINS:
        raise InvalidInput("trigger", f"must be one of {', '.join(BUILTINS)}")
    home = next((home for home, hooks in BUILTINS.items() if builtin_name in hooks), None)
    if builtin_name is None or home is None:
        known = ", ".join(known for hooks in BUILTINS.values() for known in hooks)
        raise InvalidInput("builtin_name", f"{builtin_name!r} is unknown; known hooks are {known}")
    if home != trigger:
        raise InvalidInput("trigger", f"the hook {builtin_name} runs at {home}")
    return BUILTINS[trigger][builtin_name](name or builtin_name, config)


def pre_hooks(rows: Sequence[Hook], reach: HookReach) -> list[PreTransferHook]:
    """The hooks of rows, whatever their implementation. Raises ``InvalidInput`` for a configuration of no use."""
    return [_hook_of(row, HookTrigger.PRE_TRANSFER, reach) for row in rows]


def post_hooks(rows: Sequence[Hook], reach: HookReach) -> list[PostTransferHook]:
    """As ``pre_hooks``."""
    return [_hook_of(row, HookTrigger.POST_TRANSFER, reach) for row in rows]


def _hook_of(row: Hook, trigger: HookTrigger, reach: HookReach) -> Any:
    """The hook that a row describes, which is one of the trigger's kind."""
    if is_builtin(row):
        return build_hook(trigger, row.builtin_name, row.config, name=row.name)
    return called_hook(row, reach)


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
