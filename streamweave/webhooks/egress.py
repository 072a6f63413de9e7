"""Egress: which addresses a webhook may reach."""

import ipaddress
from collections.abc import Iterable
from typing import Self

from streamweave.host_addresses import Address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out of IPv6 for the public."""

NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "169.254.0.0/16",  # link-local, where clouds answer with credentials
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "168.63.129.16/32",  # the host of an Azure machine
        "192.0.0.192/32",  # metadata of Oracle Cloud
        "192.88.99.0/24",  # relays of 6to4
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "::/128",
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, given up
        "ff00::/8",  # multicast
        "fd00:ec2::/32",  # metadata of AWS
        "fd20:ce::254/128",  # metadata of Google Cloud
        # IPv6 addresses that carry an IPv4 address, which some router or kernel may turn into it
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
    )
)
"""Not even where the facility lists a network around them."""


class EgressPolicy:
    """Public addresses, over https; and over http too those of the networks that the facility lists as its own."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.networks = tuple(networks)

    @classmethod
    def listed(cls, networks: str) -> Self:
        """The policy with comma-separated networks, e.g. ``10.1.0.0/16, 127.0.0.1``. Raises ``ValueError``."""
        return cls(ipaddress.ip_network(part.strip()) for part in networks.split(",") if part.strip())

    def allows(self, address: Address) -> bool:
        """Whether a webhook may reach the address."""
        if _lies_in(address, NEVER):
            return False
        return self.is_ours(address) or _is_public(address)

    def allows_http(self, address: Address) -> bool:
        """Whether a webhook may reach the address without encryption."""
        return self.allows(address) and self.is_ours(address)

    def is_ours(self, address: Address) -> bool:
        """Whether the facility lists a network around the address."""
        return _lies_in(address, self.networks)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _lies_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
