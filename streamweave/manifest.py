"""A whole configuration at once: what a manifest describes, entered through the same commands as everything else.

A manifest is an object of lists, whose entries hold the fields of the REST contract and refer to each other by name::

    service_accounts   name, domain, username, password, allowed_hosts (by default the hosts of the instruments here)
    storage_locations  name, type, connection_config, base_path, enabled
    instruments        slug, name, ... and service_account: the account's name; address_change where it has moved
    schedules          cron_expression, enabled, and instrument: its slug, storage_location: its name
    hooks              name, trigger, builtin_name, config, ... and instrument: its slug, or none for a global hook;
                       or implementation python_script with script_path, http_webhook with webhook_url, webhook_secret
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument, ServiceAccount, StorageLocation
from streamweave.errors import Conflict, InvalidInput
from streamweave.harvest.instrument_changes import asks_what_is_there, update_instrument
from streamweave.hooks.configuration import create_hook
from streamweave.hooks.external_hook import HookReach
from streamweave.instruments.fields import CHANGEABLE, AddressChange
from streamweave.instruments.instruments import create_instrument, instrument_by_slug
from streamweave.instruments.schedules import create_schedule
from streamweave.instruments.service_accounts import (
    create_service_account,
    service_account_by_name,
    update_service_account,
)
from streamweave.sealing import Sealer
from streamweave.storage.locations import create_storage_location, storage_location_by_name
from streamweave.storage.roots import StorageRoots
from streamweave.validation import checked, require

Entry = Mapping[str, Any]

PARTS = ("service_accounts", "storage_locations", "instruments", "schedules", "hooks")

# what a manifest changes of what exists; all else belongs to the people who configure the system
MOVING_ACCOUNT_FIELDS = ("username", "domain", "password", "allowed_hosts")
MOVING_INSTRUMENT_FIELDS = ("cifs_host", "cifs_port", "cifs_share", "cifs_base_path")
REACHED_AT = ("cifs_host", "cifs_port")
"""Of these a simulated laboratory has others at each start."""

REFERENCES = {
    "service_account": ("service_account_id", service_account_by_name),
    "storage_location": ("default_storage_location_id", storage_location_by_name),
    "instrument": ("instrument_id", instrument_by_slug),
}


def apply_manifest(
    sessions: Sessions,
    encryption_keys: str,
    manifest: Mapping[str, Any],
    reach: HookReach | None = None,
    roots: StorageRoots | None = None,
    *,
    address_change: AddressChange | None = None,
    moving: Sequence[str] = MOVING_INSTRUMENT_FIELDS,
) -> None:
    """Enter what the manifest describes, in one transaction; what exists already is recognised by its name or slug.

    Existing accounts take over the manifest's credentials, existing instruments the fields ``moving`` of their address.
    Nothing else that exists is changed, and what was deleted is not restored. Where another address asks
    what has become of the known files (``harvest.instrument_changes``), ``address_change`` answers for all instruments,
    and that field of an entry for its own. ``reach`` is what hooks that call out may reach, ``roots`` where storage
    locations may lie. Raises ``SealBroken``, ``InvalidInput`` or ``Conflict``, which names all instruments whose
    question is not answered.
    """
    sealer = Sealer(encryption_keys)
    _check_shape(manifest)
    instruments = manifest.get("instruments", [])
    with sessions.begin() as session:
        known = {entry.get("slug") for entry in instruments if _instrument(session, entry) is not None}
        if known:
            known.add(None)  # a global hook belongs to all instruments: it was entered with the first of them
        for entry in manifest.get("service_accounts", []):
            _enter_service_account(session, sealer, entry, _hosts_of(entry, instruments))
        for entry in manifest.get("storage_locations", []):
            _enter_storage_location(session, sealer, entry, roots)
        moves = {entry["slug"]: _only(moving, entry) for entry in instruments}
        answers = {entry["slug"]: entry.get("address_change", address_change) for entry in instruments}
        _expect_answers(session, moves, answers)
        for entry in instruments:
            _enter_instrument(session, entry, moves[entry["slug"]], answers[entry["slug"]])
        for entry in _of_others(known, manifest.get("schedules", [])):
            create_schedule(session, _resolved(session, entry))
        for entry in _of_others(known, manifest.get("hooks", [])):
            create_hook(session, _resolved(session, entry), reach or HookReach(sealer=sealer))


def _check_shape(manifest: Mapping[str, Any]) -> None:
    for part, entries in manifest.items():
        if part not in PARTS:
            raise InvalidInput(part, f"is unknown; a manifest has {', '.join(PARTS)}")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InvalidInput(part, "must be a list of objects")


def _hosts_of(account: Entry, instruments: Iterable[Entry]) -> list[str]:
    """Where the manifest uses an account."""
    users = (entry for entry in instruments if entry.get("service_account") == account.get("name"))
    return [entry["cifs_host"] for entry in users if "cifs_host" in entry]


def _enter_service_account(session: Session, sealer: Sealer, entry: Entry, hosts: list[str]) -> None:
    """Enter or change an account. One without ``allowed_hosts`` may be used at ``hosts``, and where it may already."""
    require(entry, "name")
    same = select(ServiceAccount).where(ServiceAccount.name == entry["name"])
    account = session.scalar(same.order_by(ServiceAccount.deleted_at.desc()).limit(1))  # one in use comes first
    if account is None:
        create_service_account(session, sealer, {"allowed_hosts": hosts, **entry} if hosts else entry)
    elif not account.is_deleted:
        changes = _only(MOVING_ACCOUNT_FIELDS, entry)
        if hosts and "password" in changes:
            changes = {"allowed_hosts": [*account.allowed_hosts, *hosts], **changes}
        update_service_account(session, sealer, account.id, changes)


def _enter_storage_location(session: Session, sealer: Sealer, entry: Entry, roots: StorageRoots | None) -> None:
    require(entry, "name", "base_path")
    same = or_(StorageLocation.name == entry["name"], StorageLocation.base_path == entry["base_path"])
    if session.scalar(select(StorageLocation.id).where(same).limit(1)) is None:
        create_storage_location(session, sealer, entry, roots)


def _expect_answers(session: Session, moves: Mapping[str, Entry], answers: Mapping[str, Any]) -> None:
    questions = [
        question
        for slug, fields in moves.items()
        if answers[slug] is None
        and (instrument := _instrument(session, {"slug": slug})) is not None
        and not instrument.is_deleted
        and (question := asks_what_is_there(session, instrument, checked(CHANGEABLE, fields)))
    ]
    if questions:
        raise Conflict("; ".join([*questions, "nothing was changed"]))


def _enter_instrument(session: Session, entry: Entry, move: Entry, answer: str | None) -> None:
    instrument = _instrument(session, entry)
    if instrument is None:
        fields = {field: value for field, value in entry.items() if field != "address_change"}
        create_instrument(session, _resolved(session, fields))
    elif not instrument.is_deleted:
        update_instrument(session, instrument.id, {**move, **({} if answer is None else {"address_change": answer})})


def _instrument(session: Session, entry: Entry) -> Instrument | None:
    """The instrument of that slug, deleted or not."""
    require(entry, "slug")
    return session.scalar(select(Instrument).where(Instrument.slug == entry["slug"]))


def _only(fields: Iterable[str], entry: Entry) -> dict[str, Any]:
    return {field: entry[field] for field in fields if field in entry}


def _of_others(known: set[str | None], entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.get("instrument") not in known]


def _resolved(session: Session, entry: Entry) -> dict[str, Any]:
    """The entry with ids in place of names."""
    fields = dict(entry)
    for field, (column, row_named) in REFERENCES.items():
        if (referred := fields.pop(field, None)) is not None:
            row = row_named(session, referred)
            if row is None:
                raise InvalidInput(field, f"nothing is called {referred!r}")
            fields[column] = row.id
    return fields
