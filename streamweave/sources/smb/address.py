"""Where a share is, and as whom it is opened; names and times as servers report them.

A FILETIME is the time of Windows: 100 ns ticks since 1601-01-01 UTC ([MS-DTYP] 2.3.3).
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Literal

from streamweave.errors import FileUnreadable, FileVanished
from streamweave.sources.base import ListingLimits

UNASKABLE = "its name is not valid Unicode, or holds a character that no file name may hold"
LONGEST_NAME = 255
"""In UTF-16 code units ([MS-FSCC] 2.1.5.2): what is longer is no name of a file."""
TOO_LONG = f"its name is longer than {LONGEST_NAME} characters"

_SEPARATOR_OR_NUL = re.compile(r"[/\\\0]")
_INVALID = re.compile("[/\\\\\0\ud800-\udfff]")


FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_END_OF_TIME = 2_650_467_744_000_000_000  # 10000-01-01
LATEST = datetime(9999, 12, 30, tzinfo=UTC)  # a day of room, so that it can be shown in every time zone

Engine = Literal["auto", "public"]
Authentication = Literal["ntlm", "kerberos", "negotiate"]


class TimeIsUp(TimeoutError):
    """The deadline of all work at an address has passed."""


@dataclass(frozen=True, slots=True)
class SmbAddress:
    r"""A share of an SMB server and the folder in it that is harvested.

    ``base_path`` is written with ``/`` or ``\``, with or without one at its ends; empty or ``/`` is the whole share.
    ``timeout_seconds`` bounds every wait for an answer of the server. ``engine`` is ``auto`` for the fastest one that
    the server allows, ``public`` for smbprotocol's public interface alone. ``deadline`` is when, by ``monotonic``, all
    work at the address ends, even if the server answers; None for never.
    ``authentication`` is ``negotiate`` for Kerberos where it works, else NTLM. With ``allowed_hosts`` (as
    ``sources.allowed_hosts`` has them) the credentials are sent to these hosts only; with None to every host.
    """

    host: str
    port: int
    share: str
    base_path: str
    username: str
    password: str = field(repr=False)
    domain: str | None = None
    timeout_seconds: float = 30
    engine: Engine = "auto"
    limits: ListingLimits = field(default_factory=ListingLimits)
    deadline: float | None = None
    require_encryption: bool = False
    authentication: Authentication = "ntlm"
    allowed_hosts: tuple[str, ...] | None = None

    def patience(self) -> float:
        """How many seconds the next answer may take. Raises ``TimeIsUp``."""
        if self.deadline is None:
            return self.timeout_seconds
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeIsUp
        return min(self.timeout_seconds, left)

    @property
    def server(self) -> str:
        """``host:port``, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def account(self) -> str:
        r"""The account as a server names it: ``domain\user``, or the user alone."""
        return f"{self.domain}\\{self.username}" if self.domain else self.username

    @property
    def base_below_share(self) -> str:
        """The base folder as a person names it: ``/data/x``, or ``/`` for the whole share."""
        return "/" + "/".join(filter(None, self.base_path.replace("\\", "/").split("/")))

    @property
    def base_folder(self) -> str:
        """The base folder written like a ``source_path``: the share's name and what follows it."""
        return (self.share + self.base_below_share).rstrip("/")

    def path_on_share(self, source_path: str) -> str:
        r"""``source_path`` as the server wants it: below the share, with ``\``.

        Raises ``FileVanished`` for a path of another share, ``FileUnreadable`` for one that no server can be asked for.
        """
        share, _, inner = source_path.partition("/")
        if share != self.share:
            raise FileVanished(f"{source_path} is not on the share {self.share!r}")
        path = inner.replace("/", "")
        if path and not is_askable(path):
            raise FileUnreadable(f"{source_path!r} can't be asked for: {UNASKABLE}")
        return inner.replace("/", "\\")


def is_askable(name: str) -> bool:
    """Whether a path may hold this name: valid Unicode, no separator, no NUL."""
    return _INVALID.search(name) is None


def is_too_long(name: str) -> bool:
    """Whether no file can have so long a name."""
    return len(name) > LONGEST_NAME // 2 and len(name.encode("utf-16-le", "surrogatepass")) > 2 * LONGEST_NAME


def shown(name: str) -> str:
    r"""The name with its invalid parts escaped (``\ud800``, ``\x00``). No two names are shown alike.

    Of a name that is too long the beginning is shown, with its digest.
    """
    if is_too_long(name):
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"{shown(name[: LONGEST_NAME // 2])}… ({digest})"
    if is_askable(name):
        return name
    escaped = _SEPARATOR_OR_NUL.sub(lambda found: f"\\x{ord(found[0]):02x}", name)
    return escaped.encode("utf-8", "backslashreplace").decode("utf-8")


def is_possible(ticks: int) -> bool:
    """Whether a file can have this time: not negative as the protocol reads it, and before the year 10000."""
    return ticks < _END_OF_TIME


def from_filetime(ticks: int) -> datetime:
    """The time in UTC, to the microsecond; what Python can't express becomes the last day it can."""
    try:
        return min(FILETIME_EPOCH + timedelta(microseconds=ticks // 10), LATEST)
    except OverflowError:
        return LATEST
