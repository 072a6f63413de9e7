"""Where an instrument's files are: the rules for host, share and base path of an SMB address."""

import ipaddress
import re
from enum import StrEnum
from typing import Any

from streamweave.errors import InvalidInput
from streamweave.validation import CONTROL, LONGEST_TEXT, shaped, shaped_text, sound, text

LONGEST_HOST = 253
LONGEST_SHARE = 80
MOST_ALLOWED_HOSTS = 100
NO_ADDRESS = "not-entered.invalid"
"""The host of an instrument that only a journal knows (RFC 2606, section 2); it is disabled."""
BELOW = "*."

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?![0-9.]+$){_LABEL}(?:\.{_LABEL})*")
_ADDRESS_OR_NETWORK = re.compile(r"[0-9A-Fa-f.:]{2,45}(?:/[0-9]{1,3})?")
_FORBIDDEN_IN_SHARES = r"\"\\/\[\]:|<>+=;,*?"
_FORBIDDEN_IN_FOLDERS = r"\":|<>*?"


class AddressChange(StrEnum):
    """What a new address means for the files that are known of an instrument."""

    SAME_FILES = "same_files"  # they are there now: records, identifiers and history stay, source paths move
    OTHER_FILES = "other_files"  # other files are there: the known ones are gone from the source


@shaped(
    type="string",
    anyOf=[{"pattern": f"^{_HOST_NAME.pattern}$", "maxLength": LONGEST_HOST}, {"format": "ipv4"}, {"format": "ipv6"}],
)
def host(field: str, value: Any) -> str:
    """A host name (RFC 1123, section 2.1), or an IP address. Digits and dots alone are an address, or nothing."""
    if not isinstance(value, str) or not (_is_host_name(value) or _is_ip_address(value)):
        raise InvalidInput(field, "is neither a host name nor an IP address")
    return value


@shaped_text(
    min_length=1, max_length=LONGEST_SHARE, pattern=sound(CONTROL + _FORBIDDEN_IN_SHARES, besides=r"(?!\.{1,2}$)")
)
def share(field: str, value: Any) -> str:
    """A share's name: without separators and without the characters that SMB forbids in it (MS-FSCC, section 2.1.6)."""
    checked: str = text(longest=LONGEST_SHARE)(field, value)
    if checked in (".", "..") or re.search(f"[{_FORBIDDEN_IN_SHARES}]", checked):
        raise InvalidInput(field, "is not a share's name")
    return checked


@shaped_text(
    min_length=1,
    max_length=LONGEST_TEXT,
    pattern=sound(CONTROL + _FORBIDDEN_IN_FOLDERS, besides=r"(?!(?:.*[/\\])?\.\.(?:[/\\]|$))"),
)
def base_path(field: str, value: Any) -> str:
    """A folder within the share, with ``/`` between its parts and before the first; ``/`` is the share itself."""
    checked: str = text()(field, value)
    parts = [part for part in checked.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidInput(field, "must not hold '..'")
    if re.search(f"[{_FORBIDDEN_IN_FOLDERS}]", checked):
        raise InvalidInput(field, "holds a character that no folder of a share can have in its name")
    return "/" + "/".join(parts)


@shaped(
    type="array",
    minItems=1,
    maxItems=MOST_ALLOWED_HOSTS,
    items={
        "type": "string",
        "anyOf": [
            {"pattern": rf"^(?:\*\.)?{_HOST_NAME.pattern}$", "maxLength": LONGEST_HOST},
            {"format": "ipv4"},
            {"format": "ipv6"},
            {"pattern": r"^[0-9A-Fa-f.:]{2,45}/[0-9]{1,3}$"},
        ],
    },
)
def allowed_hosts(field: str, value: Any) -> list[str]:
    """Host names, ``*.`` and a domain for all hosts below it, and networks (``10.1.0.0/16``) or single addresses.

    ``10.1.2.3/16`` is kept as the network that it lies in.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_ALLOWED_HOSTS:
        raise InvalidInput(field, f"must be a list of 1 to {MOST_ALLOWED_HOSTS} hosts or networks")
    return list(dict.fromkeys(_allowed_host(field, each) for each in value))


def _allowed_host(field: str, value: Any) -> str:
    if isinstance(value, str) and len(value) <= LONGEST_HOST and _is_host_name(value.removeprefix(BELOW)):
        return value.lower()
    network = _network(value) if isinstance(value, str) else None
    if network is None:
        raise InvalidInput(
            field, f"{value!r} is neither a host name, nor *. and a domain, nor a network like 10.1.0.0/16"
        )
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if not _ADDRESS_OR_NETWORK.fullmatch(value):
        return None
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None


def _is_host_name(value: str) -> bool:
    return len(value) <= LONGEST_HOST and bool(_HOST_NAME.fullmatch(value))


def _is_ip_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value
