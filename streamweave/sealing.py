"""Sealed passwords: only those who hold a key can open them, and keys can be rotated."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from streamweave.errors import SealBroken


class Sealer:
    """Seals with the first key and opens with any of them (Fernet, https://github.com/fernet/spec).

    ``keys`` are comma-separated, newest first. Raises ``SealBroken`` when there is none, or one is not a Fernet key.
    """

    def __init__(self, keys: str) -> None:
        parts = [key.strip() for key in keys.split(",") if key.strip()]
        if not parts:
            raise SealBroken("no encryption key: set STREAMWEAVE_ENCRYPTION_KEYS to at least one Fernet key")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in parts])
        except ValueError as error:
            raise SealBroken("an encryption key is not a Fernet key: 32 bytes in URL-safe base64") from error

    def seal(self, secret: str) -> bytes:
        """Make ``secret`` unreadable for everyone without a key."""
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """The secret again. Raises ``SealBroken`` when no key fits."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SealBroken("a sealed password can't be opened with the encryption keys at hand") from error
