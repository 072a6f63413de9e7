"""Hooks as they are configured: how they are entered, changed, removed, and which ones run. The caller commits.

A webhook's secret is sealed as it goes in, and never comes out.
"""

import json
import uuid
from collections.abc import Callable, Mapping
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
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import change
from streamweave.catalog.tables import Hook, HookImplementation, HookTrigger, Instrument
from streamweave.errors import Conflict, InvalidInput
from streamweave.hooks.access_assignment import AccessAssignment
from streamweave.hooks.building import is_builtin
from streamweave.hooks.calling.reach import Reach
from streamweave.hooks.implementations import MADE_OF, settled
from streamweave.hooks.registry import build_hook
from streamweave.hooks.scripts.folder import SCRIPT_PATH, check_script_path
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
    require,
    shaped,
    text,
)
from streamweave.webhooks import LONGEST_URL, SECRET_PATTERN, WEBHOOK_URL, check_url, signing_key

HIGHEST_PRIORITY = 1_000_000

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


def create_hook(session: Session, values: Mapping[str, Any], reach: Reach | None = None) -> Hook:
    """A new hook: ``name``, ``trigger`` and what its ``implementation`` needs; if wished ``config`` and so on.

    It must be one that can be built within ``reach``, and may redirect only to storage locations that exist.
    Raises ``InvalidInput``, or ``SealBroken`` for a secret that can't be sealed.
    """
    fields = {"implementation": HookImplementation.BUILTIN.value, "config": {}, **checked(FIELDS, values)}
    require(fields, "name", "trigger")
    hook = Hook(**settled(fields, None, reach or Reach()))
    _check_built(session, hook)
    _check_instrument(session, fields)
    session.add(hook)
    session.flush()
    return hook


def update_hook(session: Session, hook_id: uuid.UUID, changes: Mapping[str, Any], reach: Reach | None = None) -> Hook:
    """Change the given fields; the result must be a hook that can be built within ``reach``.

    A webhook whose address stays keeps its secret. Raises ``NotFound``, ``InvalidInput`` or ``SealBroken``.
    """
    hook = hook_by_id(session, hook_id)
    fields = settled(checked(FIELDS, changes), hook, reach or Reach())
    _check_built(session, Hook(**{field: fields.get(field, getattr(hook, field)) for field in MADE_OF}))
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


@shaped(type="string", minLength=4, maxLength=LONGEST_NAME, pattern=SCRIPT_PATH)
def _script_path(field: str, value: Any) -> str:
    return _accepted(check_script_path, field, name(field, value))


@shaped(type="string", minLength=10, maxLength=LONGEST_URL, pattern=WEBHOOK_URL)
def _webhook_url(field: str, value: Any) -> str:
    return _accepted(check_url, field, text(longest=LONGEST_URL)(field, value))


@shaped(type="string", pattern=SECRET_PATTERN)
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
