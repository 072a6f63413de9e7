"""Where a share is, and as whom it is opened."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

from streamweave.errors import FileUnreadable, FileVanished
from streamweave.sources.base import ListingLimits
from streamweave.sources.smb.names import UNASKABLE, is_askable

Engine = Literal["auto", "public"]
Authentication = Literal["ntlm", "kerberos", "negotiate"]


class TimeIsUp(TimeoutError):
    """The deadline of all work at an address has passed."""


@dataclass(frozen=True, slots=True)
class SmbAddress:
    r"""A share of an SMB server and the folder in it that is harvested.

    ``base_path`` is written with ``/`` or ``\``, with or without one at its ends; empty or ``/`` is the whole share.
    ``timeout_seconds`` bounds every wait for an answer of the server. ``engine`` is ``auto`` for the fastest way that
    the server allows, ``public`` for smbprotocol's public interface alone. ``deadline`` is when, by ``monotonic``, all
    work at the address ends, however lively the server is; None for never.
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
        """How many seconds the next answer may be waited for. Raises ``TimeIsUp``."""
        if self.deadline is None:
            return self.timeout_seconds
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeIsUp
        return min(self.timeout_seconds, left)

    @property
    def server(self) -> str:
        """The server as a person names it."""
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
