"""The addresses of a host, found within a time; and the hosts to which a service account's password may be sent.

``allowed`` holds host names (``microscope-07.example.org``), all names below a domain (``*.example.org``), and networks
in CIDR notation (``10.1.0.0/16``, ``fd00:1::/64``; an address is a network of one).
"""

import ipaddress
import socket
import threading
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def address_of(text: str) -> Address | None:
    """The IP address that a text is; None for a name, or anything else."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def look_up(host: str, patience_seconds: float) -> list[Address]:
    """All addresses of a name, or the one that is written there, in the resolver's order; none for an unknown name.

    The resolver knows no deadline; one that hangs is left behind in its thread. Raises ``TimeoutError``.
    """
    found: list[Address] = []
    lookup = threading.Thread(target=_look_up, args=(host, found), daemon=True)
    lookup.start()
    lookup.join(patience_seconds)
    if lookup.is_alive():
        raise TimeoutError
    return found


def _look_up(host: str, found: list[Address]) -> None:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    found += dict.fromkeys(ipaddress.ip_address(str(answer[4][0])) for answer in answers)


def may_lead_to(allowed: Iterable[str], host: str) -> bool:
    """Whether ``host`` is allowed, or may turn out to be, once its addresses are known."""
    allowed = list(allowed)
    address = address_of(host)
    if address is not None:
        return _lies_in(address, allowed)
    return _is_named(allowed, host) or any(network_of(each) is not None for each in allowed)


def is_allowed(allowed: Iterable[str], host: str, address: Address) -> bool:
    """Whether ``host``, whose name has led to ``address``, is allowed by its name or by that address."""
    allowed = list(allowed)
    return _is_named(allowed, host) or _lies_in(address, allowed)


def network_of(entry: str) -> Network | None:
    """The network that an entry of ``allowed`` names; None when it is a name."""
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None


def _is_named(allowed: Iterable[str], host: str) -> bool:
    name = host.lower()
    return any(name.endswith(each[1:]) if each.startswith("*.") else name == each for each in allowed)


def _lies_in(address: Address, allowed: Iterable[str]) -> bool:
    """A network of the other IP version holds no address of this one; a mapped address counts as both that it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    networks = [network for network in map(network_of, allowed) if network is not None]
    return any(each in network for network in networks for each in (address, mapped) if each is not None)
