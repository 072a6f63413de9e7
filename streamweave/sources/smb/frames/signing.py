"""Signatures ([MS-SMB2] 3.1.4.1, 3.1.5.1): HMAC-SHA256 in SMB 2, AES-CMAC or AES-GMAC in SMB 3."""

import hashlib
import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC

from streamweave.sources.smb.frames.header import SIGNATURE, UNSIGNED
from streamweave.sources.smb.wire_errors import BrokenAnswer

HMAC_SHA256, AES_CMAC, AES_GMAC = 0, 1, 2  # 2.2.3.1.7

Buffer = bytes | memoryview
Signature = Callable[[int, bool, Buffer, bytes], bytes]
"""Of a message, by its id and whether it is an answer; the second buffer is the rest of it, where it lies apart."""


class Signing:
    """Every message carries a signature; the frame is as it is. ``algorithm`` is one of the three above."""

    frames_are_plain = True

    def __init__(self, algorithm: int, key: bytes) -> None:
        self._signature = {HMAC_SHA256: _hmac_sha256, AES_CMAC: _aes_cmac, AES_GMAC: _aes_gmac}[algorithm](key)

    def seal_message(self, message: bytes, message_id: int) -> bytes:
        """The message with its signature."""
        return message[:48] + self._signature(message_id, False, message, b"") + message[64:]

    def seal_frame(self, frame: bytes) -> bytes:
        """The frame as it is."""
        return frame

    def open_frame(self, frame: bytearray) -> memoryview:
        """The frame as it is."""
        return memoryview(frame)

    def check_message(self, message: memoryview, message_id: int, payload: bytes = b"") -> None:
        """Compare its signature with the one that it should have, which is computed over the received buffers."""
        received = bytes(message[SIGNATURE])
        message[SIGNATURE] = UNSIGNED
        if not hmac.compare_digest(self._signature(message_id, True, message, payload), received):
            raise BrokenAnswer("an answer without its right signature")


def _hmac_sha256(key: bytes) -> Signature:
    def signature(_message_id: int, _is_answer: bool, message: Buffer, rest: bytes) -> bytes:
        if not rest:
            return hmac.digest(key, message, "sha256")[:16]
        digest = hmac.new(key, message, hashlib.sha256)
        digest.update(rest)
        return digest.digest()[:16]

    return signature


def _aes_cmac(key: bytes) -> Signature:
    keyed = CMAC(algorithms.AES(key))

    def signature(_message_id: int, _is_answer: bool, message: Buffer, rest: bytes) -> bytes:
        digest = keyed.copy()
        digest.update(message)  # type: ignore[arg-type] # any buffer will do
        digest.update(rest)
        return digest.finalize()

    return signature


def _aes_gmac(key: bytes) -> Signature:
    algorithm, one_shot = algorithms.AES(key), AESGCM(key)

    def signature(message_id: int, is_answer: bool, message: Buffer, rest: bytes) -> bytes:
        nonce = message_id.to_bytes(8, "little") + is_answer.to_bytes(4, "little")
        if not rest:
            return one_shot.encrypt(nonce, b"", message)
        pieces = Cipher(algorithm, modes.GCM(nonce)).encryptor()
        pieces.authenticate_additional_data(message)
        pieces.authenticate_additional_data(rest)
        pieces.finalize()
        return pieces.tag

    return signature
