"""What hooks that call out may run and reach. The facility's settings say it, never a hook's row."""

from typing import Self

from streamweave.errors import HookFailed, SealBroken
from streamweave.hooks.scripts import Script, ScriptFolder
from streamweave.sealing import Sealer
from streamweave.settings import Settings
from streamweave.webhooks import EgressPolicy


class HookReach:
    """By default no script may be run, public addresses may be asked, and no secret can be sealed or opened."""

    def __init__(
        self, scripts: ScriptFolder | None = None, egress: EgressPolicy | None = None, sealer: Sealer | None = None
    ) -> None:
        self.scripts = scripts or ScriptFolder()
        self.egress = egress or EgressPolicy()
        self._sealer = sealer
        self._known: dict[str, Script | HookFailed] | None = None

    @classmethod
    def told_by(cls, settings: Settings, sealer: Sealer) -> Self:
        """The reach that the settings give."""
        return cls(ScriptFolder(settings.hook_scripts_folder), EgressPolicy.listed(settings.webhook_networks), sealer)

    def for_a_run(self) -> Self:
        """The same reach, for which scripts stay as they were first read: a run asks all files the same question."""
        reach = type(self)(self.scripts, self.egress, self._sealer)
        reach._known = {}
        return reach

    def script(self, path: str) -> Script:
        """The script at that path. Raises ``HookFailed``."""
        known = {} if self._known is None else self._known
        if path not in known:
            try:
                known[path] = self.scripts.read(path)
            except HookFailed as failure:
                known[path] = failure
        found = known[path]
        if isinstance(found, HookFailed):
            raise found
        return found

    def sealed(self, secret: str) -> bytes:
        """Raises ``SealBroken`` without a key."""
        return self._seal().seal(secret)

    def opened(self, sealed: bytes) -> str:
        """Raises ``SealBroken`` without the key."""
        return self._seal().open(sealed)

    def _seal(self) -> Sealer:
        if self._sealer is None:
            raise SealBroken("no encryption key: set STREAMWEAVE_ENCRYPTION_KEYS to at least one Fernet key")
        return self._sealer
