"""The home's keys: made on first start, and known to be the right ones at every later start."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from streamweave.errors import StartError
from streamweave.local.private_file import tighten, write_private
from streamweave.preservation.certificates.document import SEED_BYTES

CANARY = b"streamweave"
SIGNING_BYTES = 48


@dataclass(frozen=True)
class Keys:
    """``encryption_keys``: Fernet keys, comma-separated, newest first. ``secret_key`` signs tokens, ``certificate_key``
    certificates (an Ed25519 seed in hexadecimal).
    """

    encryption_keys: str
    secret_key: str
    certificate_key: str


def open_keys(
    folder: Path,
    *,
    encryption_keys: str,
    secret_key: str,
    certificate_key: str,
    catalog_holds_secrets: bool,
    say: Callable[[str], None],
) -> Keys:
    """The keys of the home whose key folder is ``folder``.

    Those of the environment win, and "" means the files ``encryption`` (one Fernet key a line, newest first),
    ``signing`` and ``certificates``, which are made when missing. An encryption key is never made up for a catalog that
    already holds secrets.

    Raises ``StartError``: the key is missing, is none, or is another home's.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in (folder, *folder.iterdir()):
        if tighten(path):
            say(f"others could read {path}: now only its owner can")
    origin, keys = _encryption_keys(folder / "encryption", encryption_keys, catalog_holds_secrets)
    _check_belonging(folder / "canary", origin, keys)
    return Keys(
        ",".join(keys),
        secret_key or _kept(folder / "signing", lambda: secrets.token_urlsafe(SIGNING_BYTES)),
        certificate_key or _kept(folder / "certificates", lambda: secrets.token_hex(SEED_BYTES)),
    )


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


def _kept(path: Path, new: Callable[[], str]) -> str:
    """A missing file is no error: a new key ends the logins of the moment, or signs certificates from now on."""
    if not path.exists() or not path.read_text().strip():
        write_private(path, new() + "\n")
    return path.read_text().strip()
