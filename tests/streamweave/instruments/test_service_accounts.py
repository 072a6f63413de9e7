import pytest
from cryptography.fernet import Fernet

from streamweave.catalog.session import Sessions
from streamweave.errors import Conflict, InvalidInput
from streamweave.harvest.instrument_changes import update_instrument
from streamweave.instruments.instruments import create_instrument
from streamweave.instruments.service_accounts import (
    create_service_account,
    delete_service_account,
    update_service_account,
)
from streamweave.sealing import Sealer

ACCOUNT = {"name": "simlab-service", "username": "simlab", "password": "a secret"}


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(Fernet.generate_key().decode())


def test_a_password_is_kept_sealed(sessions: Sessions, sealer: Sealer) -> None:
    with sessions.begin() as session:
        account = create_service_account(session, sealer, ACCOUNT)
        assert b"a secret" not in account.sealed_password
        assert sealer.open(account.sealed_password) == "a secret"
        update_service_account(session, sealer, account.id, {"username": "other"})
        assert sealer.open(account.sealed_password) == "a secret"
        update_service_account(session, sealer, account.id, {"password": "new"})
        assert sealer.open(account.sealed_password) == "new"


def test_an_account_needs_a_password_and_a_name_of_its_own(sessions: Sessions, sealer: Sealer) -> None:
    with sessions.begin() as session:
        with pytest.raises(InvalidInput, match="password: is required"):
            create_service_account(session, sealer, {"name": "a", "username": "b"})
        create_service_account(session, sealer, ACCOUNT)
        with pytest.raises(Conflict, match="name"):
            create_service_account(session, sealer, ACCOUNT)


def test_an_account_in_use_stays_until_it_is_not(sessions: Sessions, sealer: Sealer) -> None:
    with sessions.begin() as session:
        account = create_service_account(session, sealer, ACCOUNT)
        values = {"name": "A", "cifs_host": "a", "cifs_share": "a", "service_account_id": account.id}
        instrument = create_instrument(session, values)
        with pytest.raises(Conflict, match="used by the instrument A"):
            delete_service_account(session, account.id)
        update_instrument(session, instrument.id, {"service_account_id": None})
        delete_service_account(session, account.id)


def test_an_account_is_bound_to_the_host_of_its_first_instrument_unless_hosts_are_given(
    sessions: Sessions, sealer: Sealer
) -> None:
    with sessions.begin() as session:
        account = create_service_account(session, sealer, ACCOUNT)
        assert account.allowed_hosts == []
        first = {"name": "A", "cifs_host": "PC-A.example.org", "cifs_share": "a", "service_account_id": account.id}
        create_instrument(session, first)
        assert account.allowed_hosts == ["pc-a.example.org"]
        with pytest.raises(InvalidInput, match=r"may be used at pc-a\.example\.org only; to use it at pc-b"):
            create_instrument(session, {**first, "name": "B", "cifs_host": "pc-b"})


def test_an_instrument_that_moves_or_gets_an_account_is_held_against_the_accounts_hosts(
    sessions: Sessions, sealer: Sealer
) -> None:
    with sessions.begin() as session:
        bound = {**ACCOUNT, "allowed_hosts": ["*.example.org", "10.1.0.0/16"]}
        account = create_service_account(session, sealer, bound)
        instrument = create_instrument(session, {"name": "A", "cifs_host": "192.0.2.1", "cifs_share": "a"})
        with pytest.raises(InvalidInput, match="cifs_host: the service account simlab-service may be used at"):
            update_instrument(session, instrument.id, {"service_account_id": account.id})
        both = {"service_account_id": account.id, "cifs_host": "pc.example.org"}
        update_instrument(session, instrument.id, both)
        update_instrument(session, instrument.id, {"cifs_host": "10.1.2.3"})
        with pytest.raises(InvalidInput, match="cifs_host"):
            update_instrument(session, instrument.id, {"cifs_host": "10.2.2.3"})
        update_instrument(session, instrument.id, {"cifs_share": "b"})  # moves no password


def test_hosts_change_together_with_the_password_only(sessions: Sessions, sealer: Sealer) -> None:
    with sessions.begin() as session:
        account = create_service_account(session, sealer, {**ACCOUNT, "allowed_hosts": ["pc-a"]})
        with pytest.raises(InvalidInput, match="password: must be entered anew when allowed_hosts change"):
            update_service_account(session, sealer, account.id, {"allowed_hosts": ["pc-a", "*.evil.example"]})
        update_service_account(session, sealer, account.id, {"allowed_hosts": ["pc-a"], "username": "same hosts"})
        update_service_account(session, sealer, account.id, {"allowed_hosts": ["pc-b"], "password": "anew"})
        assert account.allowed_hosts == ["pc-b"]
        update_service_account(session, sealer, account.id, {"password": "another"})
        assert account.allowed_hosts == ["pc-b"]
