"""Where a share is, and as whom it is opened."""

from dataclasses import dataclass, field

from streamweave.errors import FileVanished


@dataclass(frozen=True, slots=True)
class SmbAddress:
    r"""A share of an SMB server and the folder in it that is harvested.

    ``base_path`` is written with ``/`` or ``\``, with or without one at its ends; empty or ``/`` is the whole share.
    ``timeout_seconds`` bounds every wait for an answer of the server.
    """

    host: str
    port: int
    share: str
    base_path: str
    username: str
    password: str = field(repr=False)
    domain: str | None = None
    timeout_seconds: float = 30

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

        Raises ``FileVanished`` for a path of another share.
        """
        share, _, inner = source_path.partition("/")
        if share != self.share:
            raise FileVanished(f"{source_path} is not on the share {self.share!r}")
        return inner.replace("/", "\\")
