"""Signing certificates: Ed25519 (RFC 8032), so that whoever has our public key can check them without asking us."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from streamweave.errors import StartError

SEED_BYTES = 32
ALGORITHM = "Ed25519"
VARIABLE = "STREAMWEAVE_CERTIFICATE_KEY"


@dataclass(frozen=True, slots=True)
class Signature:
    """A detached signature over the bytes of a canonical certificate. ``key_id`` says whose."""

    key_id: str
    value: bytes

    def as_json(self) -> dict[str, str]:
        """As it stands beside a certificate; the value in base64."""
        return {"algorithm": ALGORITHM, "key_id": self.key_id, "value": base64.b64encode(self.value).decode()}


class Signer:
    """The facility's key. ``seed`` is 32 bytes in hexadecimal; raises ``StartError`` for anything else."""

    def __init__(self, seed: str) -> None:
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        except ValueError as error:
            raise StartError(f"{VARIABLE} must be {SEED_BYTES} random bytes in hexadecimal") from error
        public = self._key.public_key()
        self.public_key_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.key_id = hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]

    def sign(self, content: bytes) -> Signature:
        """Sign some bytes."""
        return Signature(self.key_id, self._key.sign(content))


def signer_of(seed: str) -> Signer | None:
    """The signer, if there is a key. Raises ``StartError``."""
    return Signer(seed) if seed else None
