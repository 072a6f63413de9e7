"""The home: everything that `streamweave up` keeps, in one folder, with its keys and its lock.

Keys are made on first start, in files that only their owner may read, and checked at every later start. The lock is
held by one process; the kernel releases it when that process ends.
"""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from streamweave.errors import StartError
from streamweave.preservation.certificates.document import SEED_BYTES
from streamweave.settings import Settings

OTHERS = 0o077
CANARY = b"streamweave"
SIGNING_BYTES = 48


def write_private(path: Path, text: str) -> None:
    """Write ``path`` (0600) so that it appears complete or not at all, and survives a crash of the machine."""
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp makes it 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    Path(scratch).replace(path)


def open_keys(folder: Path, settings: Settings, *, catalog_holds_secrets: bool, say: Callable[[str], None]) -> Settings:
    """The settings with the keys of the home whose key folder is ``folder``.

    Those of the environment win. One that is "" is read from its file: ``encryption`` (one Fernet key a line, newest
    first), ``signing`` or ``certificates``, which is made when it is missing. An encryption key is never made up for a
    catalog that already holds secrets.

    Raises ``StartError``: the key is missing, is none, or is another home's.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in (folder, *folder.iterdir()):
        mode = path.stat().st_mode
        if mode & OTHERS:
            path.chmod(mode & 0o777 & ~OTHERS)
            say(f"others could read {path}: now only its owner can")
    given = settings.encryption_keys.get_secret_value()
    origin, encryption_keys = _encryption_keys(folder / "encryption", given, catalog_holds_secrets)
    _check_belonging(folder / "canary", origin, encryption_keys)
    keys = {
        "encryption_keys": SecretStr(",".join(encryption_keys)),
        "secret_key": settings.secret_key or _kept(folder / "signing", lambda: secrets.token_urlsafe(SIGNING_BYTES)),
        "certificate_key": settings.certificate_key
        or _kept(folder / "certificates", lambda: secrets.token_hex(SEED_BYTES)),
    }
    return settings.model_copy(update=keys)


def _encryption_keys(path: Path, from_environment: str, catalog_holds_secrets: bool) -> tuple[str, list[str]]:
    if from_environment:
        return "STREAMWEAVE_ENCRYPTION_KEYS", [key.strip() for key in from_environment.split(",") if key.strip()]
    if path.exists():
        return f"the key file {path}", path.read_text(errors="replace").split()
    if catalog_holds_secrets:
        raise StartError(
            f"the key file {path} is missing, and the catalog holds passwords sealed with it: restore it from a backup"
        )
    key = Fernet.generate_key().decode()
    write_private(path, f"{key}\n")
    return f"the key file {path}", [key]


def _check_belonging(canary: Path, origin: str, keys: list[str]) -> None:
    """Open what the first start sealed; then seal it with the newest key, so that older ones may be retired."""
    try:
        fernet = MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise StartError(
            f"{origin} holds no valid Fernet key (32 bytes in URL-safe base64): restore it from a backup"
        ) from error
    if canary.exists():
        try:
            fernet.decrypt(canary.read_bytes())
        except InvalidToken as error:
            raise StartError(
                f"{origin} does not belong to this home: what was sealed here can't be opened with it"
            ) from error
    write_private(canary, fernet.encrypt(CANARY).decode())


def _kept(path: Path, new: Callable[[], str]) -> SecretStr:
    """A missing file is no error: a new key ends the logins of the moment, or signs certificates from now on."""
    if not path.exists() or not path.read_text().strip():
        write_private(path, new() + "\n")
    return SecretStr(path.read_text().strip())


class FolderLock:
    """An advisory lock (flock) on ``<folder>/lock``. A context that was entered with the lock taken releases it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; False when someone else (or another object of this process) holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; fine when it is not held. The file stays: unlinking it would let two holders in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(frozen=True)
class Home:
    """The paths inside the home. ``root`` is absolute.

    ``run`` holds what only the running system needs (it may be emptied while it is stopped), ``storage`` and ``simlab``
    hold files of ``--simlab``.
    """

    root: Path
    postgres: Path
    keys: Path
    dagster: Path
    storage: Path
    simlab: Path
    run: Path

    @classmethod
    def at(cls, root: Path) -> Self:
        """The layout under ``root``; nothing is touched yet."""
        root = root.expanduser().resolve()
        names = ("postgres", "keys", "dagster", "storage", "simlab", "run")
        return cls(root, *(root / name for name in names))

    def create(self) -> None:
        """Make what is missing. Raises ``StartError`` when the home, or a part of it, can't be a folder of ours."""
        for folder in (self.root, self.postgres, self.keys, self.dagster, self.storage, self.simlab, self.run):
            self._make(folder)
        try:
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise StartError(f"the home {self.root} is not writable: {error.strerror}") from error

    def lock(self) -> FolderLock:
        """The home's lock, taken. Raises ``StartError`` when another supervisor has it."""
        lock = FolderLock(self.run)
        if not lock.acquire():
            raise StartError(f"the home {self.root} is in use by another `streamweave up`: stop that one first")
        return lock

    @property
    def manifest(self) -> Path:
        """Where simlab describes itself."""
        return self.run / "simlab.json"

    @property
    def environment(self) -> Path:
        """Where the running system says how it is reached; there is no such file while none runs."""
        return self.run / "environment"

    def _make(self, folder: Path) -> None:
        private = folder not in (self.storage, self.simlab)
        try:
            folder.mkdir(mode=0o700 if private else 0o755, parents=folder == self.root)
        except FileExistsError:
            if not folder.is_dir():
                raise StartError(f"{folder} is a file, and the home needs a folder there") from None
        except OSError as error:
            raise StartError(f"the home {self.root} can't be made at {folder}: {error.strerror}") from error
