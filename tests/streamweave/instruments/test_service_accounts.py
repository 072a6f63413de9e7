import pytest
from cryptography.fernet import Fernet

from streamweave.catalog.session import Sessions
from streamweave.errors import Conflict, InvalidInput
from streamweave.instruments.commands import create_instrument, update_instrument
from streamweave.instruments.credentials import Sealer
from streamweave.instruments.service_accounts import (
    create_service_account,
    delete_service_account,
    update_service_account,
)

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
