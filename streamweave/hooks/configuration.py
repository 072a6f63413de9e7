"""Hooks as they are configured: how they are entered, changed, removed, and which ones run. The caller commits."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_
from sqlalchemy.orm import Session

from streamweave.access.grantees import referable_grantee
from streamweave.catalog.changes import change
from streamweave.catalog.tables import Hook, HookImplementation, HookTrigger, Instrument
from streamweave.deletion import (
    listing,
    mark_deleted,
    mark_restored,
    present,
    referable,
    require_present,
    to_delete,
    to_restore,
)
from streamweave.errors import Conflict, InvalidInput
from streamweave.hooks.access_assignment import AccessAssignment
from streamweave.hooks.registry import build_hook
from streamweave.pages import Order, Page, PageRequest, page_of
from streamweave.rules import (
    NULL,
    Rule,
    checked,
    flag,
    identity,
    integer,
    name,
    one_word_of,
    optional,
    require,
    shaped,
    text,
)
from streamweave.storage.locations import storage_location_by_name

HIGHEST_PRIORITY = 1_000_000
MADE_OF = ("trigger", "implementation", "builtin_name", "config")

_CREATION = Order(Hook.created_at, Hook.id)


def hooks(session: Session, request: PageRequest, *, include_deleted: bool = False) -> Page[Hook]:
    """All hooks in order of creation."""
    return page_of(session, listing(Hook, include_deleted=include_deleted), _CREATION, request)


def hook_by_id(session: Session, hook_id: uuid.UUID) -> Hook:
    """Raises ``NotFound``."""
    return present(session, Hook, hook_id, "Hook")


def active_hooks(session: Session, instrument_id: uuid.UUID, trigger: HookTrigger) -> list[Hook]:
    """The enabled hooks that run for an instrument, the global ones among them, in the order in which they run."""
    concerned = or_(Hook.instrument_id.is_(None), Hook.instrument_id == instrument_id)
    query = listing(Hook).where(concerned, Hook.trigger == trigger, Hook.enabled)
    return list(session.scalars(query.order_by(Hook.priority, Hook.created_at, Hook.id)))


def create_hook(session: Session, values: Mapping[str, Any]) -> Hook:
    """A new hook: ``name``, ``trigger`` and ``builtin_name``; if wished ``config``, ``instrument_id`` and so on.

    It must be one that can be built, and may redirect only to storage locations that exist. Raises ``InvalidInput``.
    """
    fields = {"implementation": HookImplementation.BUILTIN.value, "config": {}, **checked(FIELDS, values)}
    require(fields, "name", "trigger", "builtin_name")
    _check_buildable(session, fields)
    _check_instrument(session, fields)
    hook = Hook(**fields)
    session.add(hook)
    session.flush()
    return hook


def update_hook(session: Session, hook_id: uuid.UUID, changes: Mapping[str, Any]) -> Hook:
    """Change the given fields; the result must be a hook that can be built. Raises ``NotFound`` or ``InvalidInput``."""
    hook = hook_by_id(session, hook_id)
    fields = checked(FIELDS, changes)
    _check_buildable(session, {field: fields.get(field, getattr(hook, field)) for field in MADE_OF})
    _check_instrument(session, fields)
    return change(session, hook, fields)


def delete_hook(session: Session, hook_id: uuid.UUID) -> None:
    """Delete a hook; it can be restored. Raises ``NotFound``."""
    mark_deleted(session, [to_delete(session, Hook, hook_id, "Hook")])


def restore_hook(session: Session, hook_id: uuid.UUID) -> Hook:
    """Take a deleted hook back into use.

    Raises ``NotFound``, or ``Conflict`` while its instrument is deleted, or when it can't be built any more.
    """
    hook = to_restore(session, Hook, hook_id, "Hook")
    if hook.instrument_id is not None:
        require_present(session, Instrument, hook.instrument_id, "instrument")
    try:
        _check_buildable(session, {field: getattr(hook, field) for field in MADE_OF})
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


@shaped(**NULL)
def _only_of_other_implementations(field: str, value: Any) -> None:
    if value is not None:
        raise InvalidInput(field, "must be null: there are built-in hooks only")


FIELDS: dict[str, Rule] = {
    "name": name,
    "description": optional(text(lines=True)),
    "trigger": one_word_of(*HookTrigger),
    "implementation": one_word_of(*HookImplementation),
    "builtin_name": name,
    "script_path": _only_of_other_implementations,
    "webhook_url": _only_of_other_implementations,
    "config": _config,
    "instrument_id": optional(identity),
    "priority": integer(-HIGHEST_PRIORITY, HIGHEST_PRIORITY),
    "enabled": flag,
}


def _check_buildable(session: Session, fields: Mapping[str, Any]) -> None:
    hook = build_hook(fields["trigger"], fields["implementation"], fields["builtin_name"], fields["config"])
    for index, rule in enumerate(fields["config"].get("redirect_rules", [])):
        if storage_location_by_name(session, rule["destination"]) is None:
            problem = f"there is no storage location named {rule['destination']}"
            raise InvalidInput(f"config.redirect_rules[{index}].destination", problem)
    for index, grantee in enumerate(hook.literal_grantees if isinstance(hook, AccessAssignment) else ()):
        if grantee is not None and referable_grantee(session, grantee) is None:
            raise InvalidInput(f"config.grants[{index}].grantee_id", f"there is no such {grantee.type}")


def _check_instrument(session: Session, fields: Mapping[str, Any]) -> None:
    instrument_id = fields.get("instrument_id")
    if instrument_id is not None and referable(session, Instrument, instrument_id) is None:
        raise InvalidInput("instrument_id", "there is no such instrument")
