import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.errors import InvalidInput
from streamweave.instruments import fields


@pytest.mark.parametrize("host", ["microscope-01", "pc7.lab.example.org", "10.0.0.7", "fe80::1", "3com", "a" * 63])
def test_host_names_and_addresses_are_accepted(host: str) -> None:
    assert fields.host("cifs_host", host) == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "a b",
        "-a",
        "a-",
        "a..b",
        "a.",
        "a_b",
        "ä",
        "256.1.1.1",
        "1.2.3",
        "a" * 64,
        "host\n",
        "a/b",
        "fe80::1%eth0",
    ],
)
def test_what_is_neither_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput, match="cifs_host"):
        fields.host("cifs_host", host)


@given(st.ip_addresses())
def test_every_ip_address_is_accepted(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert fields.host("cifs_host", str(address)) == str(address)


@pytest.mark.parametrize("share", ["microscope", "Data$", "Ergebnisse ü", "user.data"])
def test_share_names_are_accepted(share: str) -> None:
    assert fields.share("cifs_share", share) == share


@pytest.mark.parametrize("share", ["", "a/b", "a\\b", "..", "a\0", "a:b", "x" * 81])
def test_what_is_not_a_share_is_refused(share: str) -> None:
    with pytest.raises(InvalidInput, match="cifs_share"):
        fields.share("cifs_share", share)


@pytest.mark.parametrize(
    ("entered", "kept"),
    [("/", "/"), ("data", "/data"), ("\\data\\2026\\", "/data/2026"), ("//data/./raw/", "/data/raw")],
)
def test_base_paths_are_kept_in_one_way(entered: str, kept: str) -> None:
    assert fields.base_path("cifs_base_path", entered) == kept


@pytest.mark.parametrize("path", ["..", "/data/../x", "data\\..\\x", "/a\0b", "/a\nb", "/a*"])
def test_a_base_path_that_leaves_the_share_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="cifs_base_path"):
        fields.base_path("cifs_base_path", path)


@given(st.text())
def test_no_base_path_leaves_the_share(path: str) -> None:
    try:
        kept = fields.base_path("cifs_base_path", path)
    except InvalidInput:
        return
    assert kept.startswith("/")
    assert not {"..", "."} & set(kept.split("/"))
    assert fields.base_path("cifs_base_path", kept) == kept


@pytest.mark.parametrize(
    ("entered", "kept"),
    [
        (["PC7.Example.org"], ["pc7.example.org"]),
        (["*.Lab.example.org", "*.lab.example.org"], ["*.lab.example.org"]),
        (["10.1.2.3/16", "10.1.2.3", "10.1.2.3/32"], ["10.1.0.0/16", "10.1.2.3"]),
        (["FD00::/8", "fe80::1"], ["fd00::/8", "fe80::1"]),
    ],
)
def test_allowed_hosts_are_kept_in_one_way(entered: list[str], kept: list[str]) -> None:
    assert fields.allowed_hosts("allowed_hosts", entered) == kept
    assert fields.allowed_hosts("allowed_hosts", kept) == kept


@pytest.mark.parametrize(
    "entry", ["*", "*.", "*.*.org", "a.*", "10.1.2.3/33", "10.0.0.0/255.0.0.0", "fe80::1%eth0", "", "a b", 7, None]
)
def test_what_is_no_allowed_host_is_refused(entry: object) -> None:
    with pytest.raises(InvalidInput, match="allowed_hosts"):
        fields.allowed_hosts("allowed_hosts", [entry])


@pytest.mark.parametrize("hosts", [[], "pc7", None, ["pc7"] * 101])
def test_allowed_hosts_are_a_list_that_is_not_empty(hosts: object) -> None:
    with pytest.raises(InvalidInput, match="allowed_hosts: must be a list of 1 to 100"):
        fields.allowed_hosts("allowed_hosts", hosts)
