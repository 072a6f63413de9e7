"""To which hosts a password may be sent."""

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.errors import HostNotAllowed
from streamweave.hosts import is_allowed, may_lead_to

PC, OTHER = ipaddress.ip_address("10.1.2.3"), ipaddress.ip_address("192.0.2.7")


@pytest.mark.parametrize(
    ("allowed", "host", "address", "expected"),
    [
        (["pc7.lab.example.org"], "pc7.lab.example.org", OTHER, True),
        (["pc7.lab.example.org"], "PC7.Lab.example.org", OTHER, True),
        (["pc7.lab.example.org"], "pc8.lab.example.org", PC, False),
        (["*.lab.example.org"], "pc7.lab.example.org", OTHER, True),
        (["*.lab.example.org"], "a.b.lab.example.org", OTHER, True),
        (["*.lab.example.org"], "lab.example.org", OTHER, False),
        (["*.lab.example.org"], "evil-lab.example.org", OTHER, False),
        (["*.lab.example.org"], "pc7.lab.example.org.evil.example", OTHER, False),
        (["10.1.0.0/16"], "any-name", PC, True),
        (["10.1.0.0/16"], "any-name", OTHER, False),
        (["10.1.2.3"], "10.1.2.3", PC, True),
        (["10.1.2.3"], "any-name", ipaddress.ip_address("::ffff:10.1.2.3"), True),
        (["fd00:1::/64"], "any-name", ipaddress.ip_address("fd00:1::7"), True),
        (["fd00:1::/64"], "any-name", PC, False),
        ([], "pc7", PC, False),
    ],
)
def test_a_name_or_an_address_must_be_allowed(allowed: list[str], host: str, address: Any, expected: bool) -> None:
    assert is_allowed(allowed, host, address) is expected


@pytest.mark.parametrize(
    ("allowed", "host", "expected"),
    [
        (["pc7"], "pc7", True),
        (["pc7"], "pc8", False),
        (["pc7", "10.0.0.0/8"], "pc8", True),
        (["10.0.0.0/8"], "10.9.9.9", True),
        (["10.0.0.0/8"], "11.9.9.9", False),
        ([], "pc7", False),
    ],
)
def test_where_networks_are_allowed_a_name_is_judged_once_its_address_is_known(
    allowed: list[str], host: str, expected: bool
) -> None:
    assert may_lead_to(allowed, host) is expected


@given(st.ip_addresses(), st.ip_addresses())
def test_an_address_is_allowed_at_itself_alone(
    one: ipaddress.IPv4Address | ipaddress.IPv6Address, other: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    mapped = other.ipv4_mapped if isinstance(other, ipaddress.IPv6Address) else None
    assert is_allowed([str(one)], "name", other) == (one in (other, mapped))


def test_a_name_that_leads_elsewhere_for_a_moment_gets_no_password(
    smb_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, answers = socket.getaddrinfo, iter(["192.0.2.7", smb_bench.address.host])

    def answer(host: str, port: object, *question: Any, **kind: Any) -> Any:
        return real(next(answers) if host == "pc7.example" else host, port, *question, **kind)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    source = smb_bench.source(host="pc7.example", allowed_hosts=("127.0.0.0/8",))
    with pytest.raises(HostNotAllowed, match=r"is not sent to pc7\.example"):
        list(source.listings())
    assert list(source.listings())  # what was judged is what is connected to: the name is asked for once
