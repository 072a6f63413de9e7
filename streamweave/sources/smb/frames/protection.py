"""What keeps a session's messages from being read or changed on their way: signatures, or encryption.

Signatures ([MS-SMB2] 3.1.4.1, 3.1.5.1) are HMAC-SHA256 in SMB 2, AES-CMAC or AES-GMAC in SMB 3. Encryption is of whole
frames ([MS-SMB2] 2.2.41, 3.1.4.3): AES in CCM or GCM, with keys of 128 or 256 bits.
"""

import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable
from itertools import count

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.cmac import CMAC

from streamweave.sources.smb.errors import BrokenAnswer
from streamweave.sources.smb.frames.messages import SIGNATURE, UNSIGNED

HMAC_SHA256, AES_CMAC, AES_GMAC = 0, 1, 2  # 2.2.3.1.7

AES_128_CCM, AES_128_GCM, AES_256_CCM, AES_256_GCM = 1, 2, 3, 4  # 2.2.3.1.2
_KINDS: dict[int, tuple[type[AESCCM] | type[AESGCM], int]] = {  # and how many bytes its nonces have
    AES_128_CCM: (AESCCM, 11),
    AES_128_GCM: (AESGCM, 12),
    AES_256_CCM: (AESCCM, 11),
    AES_256_GCM: (AESGCM, 12),
}

_PROTOCOL = b"\xfdSMB"
# ProtocolId, Signature, Nonce, OriginalMessageSize, Reserved, Flags, SessionId
_TRANSFORM = struct.Struct("<4s16s16sIHHQ")
_AUTHENTICATED = slice(20, _TRANSFORM.size)  # from Nonce on
_TAG_BYTES = 16
_IS_ENCRYPTED = 1

Buffer = bytes | memoryview
Signature = Callable[[int, bool, Buffer, bytes], bytes]
"""Of a message, by its id and whether it is an answer; the second buffer is the rest of it, where it lies apart."""


class Protection:
    """How requests are made safe to send, and answers are proven to come from the server as they are.

    What a kind of protection does not do to messages, or to frames, leaves them as they are.
    """

    frames_are_plain = True
    """Whether messages can be parsed as they are received; they are proven later."""

    def seal_message(self, message: bytes, message_id: int) -> bytes:  # noqa: ARG002 - a signature needs it
        """One message of a frame, its padding included."""
        return message

    def seal_frame(self, frame: bytes) -> bytes:
        """A frame of messages that are sealed."""
        return frame

    def open_frame(self, frame: bytearray) -> memoryview:
        """The messages of a frame. Raises ``BrokenAnswer``."""
        return memoryview(frame)

    def check_message(self, message: memoryview, message_id: int, payload: bytes = b"") -> None:
        """Prove one message, of which ``payload`` was received apart. Raises ``BrokenAnswer``."""


class Signing(Protection):
    """Every message carries a signature; the frame is as it is. ``algorithm`` is one of the three above."""

    def __init__(self, algorithm: int, key: bytes) -> None:
        self._signature = {HMAC_SHA256: _hmac_sha256, AES_CMAC: _aes_cmac, AES_GMAC: _aes_gmac}[algorithm](key)

    def seal_message(self, message: bytes, message_id: int) -> bytes:
        return message[:48] + self._signature(message_id, False, message, b"") + message[64:]

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


class Encryption(Protection):
    """Every frame is encrypted, which proves its messages as well: they carry no signatures."""

    frames_are_plain = False

    def __init__(self, cipher: int, to_server: bytes, from_server: bytes, session_id: int) -> None:
        kind, self._nonce_bytes = _KINDS[cipher]
        self._to_server, self._from_server = kind(to_server), kind(from_server)
        self._session_id = session_id
        # smbprotocol used some random nonces with this key, and none may be used twice; half the range is left to count
        self._nonces = count(secrets.randbits(8 * self._nonce_bytes - 1))

    def seal_frame(self, frame: bytes) -> bytes:
        nonce = next(self._nonces).to_bytes(self._nonce_bytes, "little")
        header = _TRANSFORM.pack(_PROTOCOL, b"", nonce, len(frame), 0, _IS_ENCRYPTED, self._session_id)
        sealed = self._to_server.encrypt(nonce, frame, header[_AUTHENTICATED])
        return b"".join((_PROTOCOL, sealed[-_TAG_BYTES:], header[_AUTHENTICATED], sealed[:-_TAG_BYTES]))

    def open_frame(self, frame: bytearray) -> memoryview:
        """The frame, decrypted. One that isn't encrypted is refused: anybody could have sent it."""
        if len(frame) < _TRANSFORM.size or not frame.startswith(_PROTOCOL):
            raise BrokenAnswer("an answer that is not encrypted")
        _, tag, nonce, size, _, flags, session_id = _TRANSFORM.unpack_from(frame)
        if flags != _IS_ENCRYPTED or session_id != self._session_id or size != len(frame) - _TRANSFORM.size:
            raise BrokenAnswer("an encrypted answer with a wrong header")
        frame += tag  # behind the ciphertext, where the cipher wants it
        view = memoryview(frame)
        try:
            opened = self._from_server.decrypt(
                nonce[: self._nonce_bytes], view[_TRANSFORM.size :], view[_AUTHENTICATED]
            )
        except InvalidTag as error:
            raise BrokenAnswer("an answer that can't be decrypted") from error
        return memoryview(opened)
