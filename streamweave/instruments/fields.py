"""The rules of an instrument's fields, one for each, and the slug by which code and Dagster know it."""

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from streamweave.catalog.tables import Authentication, GrowingFiles
from streamweave.errors import InvalidInput
from streamweave.hosts import address_of
from streamweave.instruments.acquisition import known_timezone, span, timezones
from streamweave.storage.archive_paths import LONGEST_ARCHIVE_FOLDER, archive_folder_problem
from streamweave.validation import (
    CONTROL,
    LONGEST_NAME,
    LONGEST_TEXT,
    Rule,
    checked,
    flag,
    identity,
    integer,
    number,
    one_word_of,
    optional,
    schema_of,
    shaped,
    shaped_text,
    sound,
    text,
)

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
LONGEST_SLUG = 63
DAY_SECONDS = 86_400
YEAR_SECONDS = 365 * DAY_SECONDS
EARLIEST_DAY = date(1980, 1, 1)
LONGEST_MARKER_SUFFIX = 32
DEEPEST_ACQUISITION = 32
MOST_REHASH_BYTES = 1 << 40
LOWEST_RATE = 1 << 10
HIGHEST_RATE = 1 << 40
MOST_SPANS = 24
A_SPAN = r"^(?!([0-9]{2}:[0-9]{2})-\1$)([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_SLUG = re.compile(r"[a-z0-9][a-z0-9_]*")


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
    if not isinstance(value, str) or not (_is_host_name(value) or (address_of(value) and "%" not in value)):
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


@shaped_text(
    min_length=1,
    max_length=LONGEST_ARCHIVE_FOLDER,
    pattern=sound(CONTROL + r"/\\<>:\"|?*%\ufdd0-\ufdef\ufffe\uffff", besides=r"(?![. ])(?!.*[. ]$)"),
)
def instrument_name(field: str, value: Any) -> str:
    """A name that can be a folder of the archive, because it becomes one."""
    checked: str = text(longest=LONGEST_NAME)(field, value)
    if problem := archive_folder_problem(checked):
        raise InvalidInput(field, problem)
    return checked


@shaped_text(max_length=LONGEST_SLUG, pattern=f"^{_SLUG.pattern}$")
def slug(field: str, value: Any) -> str:
    """Lower-case letters, digits and underscores."""
    if not isinstance(value, str) or len(value) > LONGEST_SLUG or not _SLUG.fullmatch(value):
        raise InvalidInput(field, f"must be 1 to {LONGEST_SLUG} of a-z, 0-9 and _, not beginning with _")
    return value


def slug_from(name: str) -> str:
    """``X-Ray Diffraction 01`` gives ``x_ray_diffraction_01``. ``InvalidInput`` where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_SLUG].rstrip("_")
    if not made:
        raise InvalidInput("slug", "can't be made from the name: give one")
    return made


@shaped(type="string", enum=sorted(timezones()))
def timezone(field: str, value: Any) -> str:
    """An IANA time zone's name."""
    if not isinstance(value, str) or not known_timezone(value):
        raise InvalidInput(field, "is not a time zone's name, like Europe/Berlin or UTC")
    return value


@shaped(type="string", format="date")
def day(field: str, value: Any) -> date:
    """A day, or its text in ISO 8601; not in the future, since partitions begin there."""
    try:
        read = value if type(value) is date else date.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise InvalidInput(field, "is not a date like 2020-01-31") from error
    if not EARLIEST_DAY <= read <= datetime.now(UTC).date():
        raise InvalidInput(field, f"must lie between {EARLIEST_DAY} and today")
    return read


def marker(longest: int) -> Rule:
    """The name of a marker file, or what is added to a file's name to make its marker's."""

    @shaped_text(min_length=1, max_length=longest, pattern=sound(CONTROL + r"/\\"))
    def rule(field: str, value: Any) -> str:
        name: str = text(longest=longest)(field, value)
        if "/" in name or "\\" in name:
            raise InvalidInput(field, "must not hold a separator")
        return name

    return rule


@shaped(type="array", minItems=1, maxItems=MOST_SPANS, items={"type": "string", "pattern": A_SPAN})
def hours(field: str, value: Any) -> list[str]:
    """Spans of hours like 19:00-07:00, at least one, in local time."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_SPANS:
        raise InvalidInput(field, f'must be a list of 1 to {MOST_SPANS} spans like ["19:00-07:00"]')
    for each in value:
        try:
            span(each if isinstance(each, str) else "")
        except ValueError as error:
            raise InvalidInput(field, str(error) if isinstance(each, str) else "must hold text only") from error
    return value


TRANSFER_CONFIG: dict[str, Rule] = {
    "timeout_seconds": number(1, 3600),
    "connections": integer(1, 8),
    "bytes_per_second": optional(number(LOWEST_RATE, HIGHEST_RATE)),
    "hours": optional(hours),
    "engine": one_word_of("auto", "public"),
    "folder_entries": integer(1_000, 100_000_000),
    "folder_seconds": number(1, DAY_SECONDS),
    "folder_depth": integer(1, 1_000),
    "folders": integer(1_000, 100_000_000),
}


@shaped(
    type="object",
    properties={field: schema_of(rule) for field, rule in TRANSFER_CONFIG.items()},
    additionalProperties=False,
)
def transfer_config(field: str, value: Any) -> dict[str, Any]:
    """How the instrument may be worked on: ``timeout_seconds`` (1 to 3600), ``connections`` (1 to 8), its limits
    ``bytes_per_second`` (1 KiB/s to 1 TiB/s) and ``hours``, the ``engine`` that reads its share, and what is listed of
    it at most: ``folder_entries`` and ``folder_seconds`` of one folder, ``folder_depth`` and ``folders`` of the share.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be an object")
    try:
        return checked(TRANSFER_CONFIG, value)
    except InvalidInput as error:
        raise InvalidInput(f"{field}.{error.field}", error.problem) from error


CHANGEABLE: dict[str, Rule] = {
    "name": instrument_name,
    "description": optional(text(lines=True)),
    "location": optional(text()),
    "pid": optional(text(longest=LONGEST_NAME)),
    "cifs_host": host,
    "cifs_port": integer(1, 65535),
    "cifs_share": share,
    "cifs_base_path": base_path,
    "service_account_id": optional(identity),
    "require_encryption": flag,
    "authentication": one_word_of(*Authentication),
    "transfer_adapter": one_word_of("smb"),
    "transfer_config": optional(transfer_config),
    "timezone": timezone,
    "first_acquisition_day": day,
    "quiet_period_seconds": integer(1, DAY_SECONDS),
    "max_wait_seconds": integer(1, YEAR_SECONDS),
    "probe_open_writer": flag,
    "marker_suffix": optional(marker(LONGEST_MARKER_SUFFIX)),
    "shrink_threshold": number(0, 1),
    "poll_interval_seconds": integer(1, DAY_SECONDS),
    "max_attempts": integer(1, 100),
    "retry_delay_seconds": integer(1, DAY_SECONDS),
    "silence_alert_after_seconds": optional(integer(0, YEAR_SECONDS)),
    "enabled": flag,
    "acquisition_depth": optional(integer(1, DEEPEST_ACQUISITION)),
    "marker_name": optional(marker(LONGEST_NAME)),
    "growing_files": one_word_of(*GrowingFiles),
    "rehash_share": number(0, 1),
    "rehash_bytes": integer(0, MOST_REHASH_BYTES),
}
AT_CREATION: dict[str, Rule] = {**CHANGEABLE, "slug": slug}
AT_CHANGE: dict[str, Rule] = {**CHANGEABLE, "address_change": one_word_of(*AddressChange)}
