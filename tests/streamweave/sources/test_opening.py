"""From the catalog's row to a source."""

from typing import Any

import pytest

from streamweave.catalog.tables.instruments import Instrument, ServiceAccount
from streamweave.errors import CredentialsRefused, HostNotAllowed, InvalidInput
from streamweave.sources.opening import open_source


def instrument(server: Any, **changes: Any) -> Instrument:
    return Instrument(
        name="Microscope",
        cifs_host=server.host,
        cifs_port=server.port,
        cifs_share=server.share,
        cifs_base_path=server.base_path,
        **{"require_encryption": False, "authentication": "ntlm", **changes},
    )


def test_an_instrument_is_listed_with_its_service_account(smb_bench: Any) -> None:
    smb_bench.write("a.txt", b"x")
    username = smb_bench.address.username
    account = ServiceAccount(name="lab", username=username, domain=None, allowed_hosts=["127.0.0.0/8"])
    row = instrument(smb_bench.address, service_account=account, transfer_config={"timeout_seconds": 12})
    source = open_source(row, smb_bench.address.password)
    try:
        assert [file.source_path for listing in source.listings() for file in listing.files] == [
            f"{smb_bench.base}/a.txt"
        ]
    finally:
        source.close()


def test_an_instrument_without_a_service_account_says_so(smb_bench: Any) -> None:
    with pytest.raises(CredentialsRefused, match="'Microscope' has no service account"):
        open_source(instrument(smb_bench.address), "")


@pytest.mark.parametrize("seconds", ["soon", 0, -1, float("nan"), None])
def test_a_timeout_that_is_none_is_refused(smb_bench: Any, seconds: object) -> None:
    account = ServiceAccount(name="lab", username="labuser", domain=None, allowed_hosts=["127.0.0.0/8"])
    row = instrument(smb_bench.address, service_account=account, transfer_config={"timeout_seconds": seconds})
    with pytest.raises(InvalidInput, match="transfer_config: timeout_seconds must be a number"):
        open_source(row, "")


def test_an_engine_that_is_none_is_refused(smb_bench: Any) -> None:
    account = ServiceAccount(name="lab", username="labuser", domain=None, allowed_hosts=["127.0.0.0/8"])
    row = instrument(smb_bench.address, service_account=account, transfer_config={"engine": "steam"})
    with pytest.raises(InvalidInput, match="transfer_config: engine must be one of auto, public, not 'steam'"):
        open_source(row, "")


@pytest.mark.parametrize("allowed_hosts", [[], ["microscope-01"], ["*.example.org", "10.0.0.0/8"]])
def test_a_service_account_is_sent_to_no_host_that_it_is_not_bound_to(smb_bench: Any, allowed_hosts: list[str]) -> None:
    account = ServiceAccount(name="lab", username="labuser", domain=None, allowed_hosts=allowed_hosts)
    source = open_source(instrument(smb_bench.address, service_account=account), "a secret")
    with pytest.raises(HostNotAllowed, match=f"'labuser' is not sent to {smb_bench.address.host}: it is bound to "):
        list(source.listings())
