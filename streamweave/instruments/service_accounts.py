"""Service accounts: SMB credentials. The caller commits.

A password is sealed as it comes in, and never shown. It is sent only to the hosts in ``allowed_hosts``
(``streamweave.hosts`` says how they are written). To change these takes the password: an attacker with an admin's
session, but without the password, can't have it sent to another host.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from streamweave.catalog.deletion import listing, mark_deleted, mark_restored, present, referable, to_delete, to_restore
from streamweave.catalog.session import add, change
from streamweave.catalog.tables import Instrument, ServiceAccount
from streamweave.errors import Conflict, InvalidInput
from streamweave.hosts import may_lead_to
from streamweave.instruments.fields import allowed_hosts
from streamweave.sealing import Sealer
from streamweave.validation import Rule, checked, name, optional, text

LONGEST_PASSWORD = 256

FIELDS: dict[str, Rule] = {
    "name": name,
    "domain": optional(name),
    "username": name,
    "password": text(longest=LONGEST_PASSWORD),
    "allowed_hosts": allowed_hosts,
}


def service_account_by_name(session: Session, account_name: str) -> ServiceAccount | None:
    return session.scalar(listing(ServiceAccount).where(ServiceAccount.name == account_name))


def create_service_account(session: Session, sealer: Sealer, values: Mapping[str, Any]) -> ServiceAccount:
    """A new service account: ``name``, ``username``, ``password``, and a ``domain`` where there is one.

    Without ``allowed_hosts`` it is bound to the host of the first instrument that it is given to.

    Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(FIELDS, values, required=("name", "username", "password"))
    _check_name_is_free(session, fields["name"])
    account = ServiceAccount(**_sealed(sealer, fields))
    return add(session, account)


def update_service_account(
    session: Session, sealer: Sealer, account_id: uuid.UUID, changes: Mapping[str, Any]
) -> ServiceAccount:
    """Change the given fields; ``allowed_hosts`` together with ``password`` only.

    Raises ``NotFound``, ``InvalidInput`` or ``Conflict``.
    """
    account = present(session, ServiceAccount, account_id, "Service account")
    fields = checked(FIELDS, changes)
    if fields.get("allowed_hosts", account.allowed_hosts) != account.allowed_hosts and "password" not in fields:
        raise InvalidInput("password", "must be entered anew when allowed_hosts change")
    if "name" in fields:
        _check_name_is_free(session, fields["name"], besides=account_id)
    return change(session, account, _sealed(sealer, fields))


def delete_service_account(session: Session, account_id: uuid.UUID) -> None:
    """Delete a service account; it can be restored. While an instrument uses it, it stays: ``Conflict``."""
    account = to_delete(session, ServiceAccount, account_id, "Service account")
    user = session.scalar(listing(Instrument).where(Instrument.service_account_id == account_id).limit(1))
    if user is not None:
        raise Conflict(f"the service account {account.name} is used by the instrument {user.name}")
    mark_deleted(session, [account])


def restore_service_account(session: Session, account_id: uuid.UUID) -> ServiceAccount:
    """Restore a deleted account. Raises ``NotFound``, or ``Conflict`` when its name is taken."""
    account = to_restore(session, ServiceAccount, account_id, "Service account")
    _check_name_is_free(session, account.name)
    mark_restored(session, [account])
    return account


def bind(session: Session, account_id: uuid.UUID, host: str) -> None:
    """Let an instrument at ``host`` use the account; one that is bound to no host yet is bound to this one from now on.

    The account can't be deleted or changed until the transaction ends. Raises ``InvalidInput``.
    """
    account = referable(session, ServiceAccount, account_id, exclusively=True)
    if account is None:
        raise InvalidInput("service_account_id", "there is no such service account")
    if not account.allowed_hosts:
        change(session, account, {"allowed_hosts": allowed_hosts("cifs_host", [host])})
    if not may_lead_to(account.allowed_hosts, host):
        raise InvalidInput(
            "cifs_host",
            f"the service account {account.name} may be used at {', '.join(account.allowed_hosts)} only; to use it at "
            f"{host}, add that to its allowed_hosts, with its password",
        )


def _sealed(sealer: Sealer, fields: Mapping[str, Any]) -> dict[str, Any]:
    kept = {field: value for field, value in fields.items() if field != "password"}
    if "password" in fields:
        kept["sealed_password"] = sealer.seal(fields["password"])
    return kept


def _check_name_is_free(session: Session, account_name: str, besides: uuid.UUID | None = None) -> None:
    same = service_account_by_name(session, account_name)
    if same is not None and same.id != besides:
        raise Conflict(f"name: a service account named {account_name} exists already")
