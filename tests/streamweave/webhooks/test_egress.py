import ipaddress

import pytest
from pydantic import ValidationError

from streamweave.settings import Settings
from streamweave.webhooks import EgressPolicy

PUBLIC = ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111"]
OF_THE_FACILITY = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "127.9.9.9", "::1", "fd12::1"]
NEVER = {
    "this host": "0.0.0.0",
    "this host, IPv6": "::",
    "link-local, cloud metadata": "169.254.169.254",
    "link-local, IPv6": "fe80::1",
    "metadata of AWS, IPv6": "fd00:ec2::254",
    "metadata of Google, IPv6": "fd20:ce::254",
    "metadata of Alibaba": "100.100.100.200",
    "metadata of Azure": "168.63.129.16",
    "metadata of Oracle": "192.0.0.192",
    "multicast": "224.0.0.1",
    "multicast, IPv6": "ff02::1",
    "broadcast": "255.255.255.255",
    "reserved": "240.0.0.1",
    "site-local": "fec0::1",
    "IPv4-mapped": "::ffff:10.0.0.1",
    "IPv4-mapped, public": "::ffff:93.184.215.14",
    "IPv4-translated": "::ffff:0:10.0.0.1",
    "NAT64": "64:ff9b::10.0.0.1",
    "NAT64, local": "64:ff9b:1::10.0.0.1",
    "6to4": "2002:a00:1::1",
    "Teredo": "2001:0:a00:1::1",
}
REFUSED_UNLESS_LISTED = {"IPv4-compatible": "::10.0.0.1", "documentation": "192.0.2.1", "benchmarks": "198.18.0.1"}


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed_with_encryption_only(address: str) -> None:
    policy = EgressPolicy()
    assert policy.allows(ipaddress.ip_address(address))
    assert not policy.allows_http(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OF_THE_FACILITY)
def test_private_addresses_are_allowed_only_where_listed(address: str) -> None:
    assert not EgressPolicy().allows(ipaddress.ip_address(address))
    listed = EgressPolicy.listed(f"192.0.2.0/24, {address}")
    assert listed.allows(ipaddress.ip_address(address))
    assert listed.allows_http(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", NEVER.values(), ids=NEVER.keys())
def test_some_addresses_are_allowed_to_nobody(address: str) -> None:
    everything = EgressPolicy.listed("0.0.0.0/0, ::/0")
    assert not EgressPolicy().allows(ipaddress.ip_address(address))
    assert not everything.allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", REFUSED_UNLESS_LISTED.values(), ids=REFUSED_UNLESS_LISTED.keys())
def test_addresses_that_are_nobodys_are_refused(address: str) -> None:
    assert not EgressPolicy().allows(ipaddress.ip_address(address))


def test_a_setting_that_is_no_network_is_refused() -> None:
    with pytest.raises(ValidationError, match="webhook_networks"):
        Settings(webhook_networks="10.0.0.1/8")
