"""An instrument that requires encryption, and ways to authenticate, against a real Samba and both engines."""

import importlib.util
from typing import Any

import pytest

from simlab.shares import ShareServer
from streamweave.errors import AuthenticationUnavailable, EncryptionMissing
from streamweave.sources.smb import Engine, SmbSource


@pytest.fixture(params=["auto", "public"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    engine: Engine = request.param
    return engine


def asked(own_server: Any, server: ShareServer, engine: Engine, **changes: Any) -> SmbSource:
    bench = own_server.bench(server)
    bench.write("a.txt", b"secret data")
    source: SmbSource = bench.source(engine=engine, **changes)
    return source


def content(source: SmbSource) -> bytes:
    with source.open("microscope/a.txt") as file:
        return b"".join(file.chunks())


def is_encrypted(source: Any) -> bool:
    return bool(source._connection._share.session.encrypt_data)


@pytest.mark.parametrize("offer", ["if_required", "desired", "required"])
def test_a_required_encryption_is_used_wherever_the_server_can(
    own_server_on_samba: Any, engine: Engine, offer: str
) -> None:
    server = own_server_on_samba.start(server_smb_encrypt=offer)
    source = asked(own_server_on_samba, server, engine, require_encryption=True)
    assert content(source) == b"secret data"
    assert is_encrypted(source)


@pytest.mark.parametrize("options", [{"server_smb_encrypt": "off"}, {"server_max_protocol": "SMB2_10"}])
def test_a_server_without_encryption_gets_no_credentials(
    own_server_on_samba: Any, engine: Engine, options: dict[str, str]
) -> None:
    server = own_server_on_samba.start(**options)
    source = asked(own_server_on_samba, server, engine, require_encryption=True, password="wrong")
    with pytest.raises(EncryptionMissing, match="does not offer the encryption that the instrument requires"):
        list(source.listings())
    assert content(asked(own_server_on_samba, server, engine)) == b"secret data"


@pytest.mark.parametrize("authentication", ["ntlm", "negotiate"])
def test_both_ways_without_a_domain_controller_let_the_account_in(smb_bench: Any, authentication: str) -> None:
    smb_bench.write("a.txt", b"x")
    (listing,) = smb_bench.source(authentication=authentication).listings()
    assert len(listing.files) == 1


@pytest.mark.skipif(importlib.util.find_spec("gssapi") is not None, reason="Kerberos is installed here")
def test_kerberos_that_is_not_installed_says_what_is_missing(smb_bench: Any) -> None:
    with pytest.raises(AuthenticationUnavailable, match=r"needs the extra streamweave\[kerberos\]"):
        list(smb_bench.source(authentication="kerberos").listings())
