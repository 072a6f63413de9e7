"""Encryption of whole frames ([MS-SMB2] 2.2.41, 3.1.4.3): AES in CCM or GCM, with keys of 128 or 256 bits."""

import secrets
import struct
from itertools import count

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

from streamweave.sources.smb.wire_errors import BrokenAnswer

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


class Encryption:
    """Every frame is encrypted, which proves its messages as well: they carry no signatures."""

    frames_are_plain = False

    def __init__(self, cipher: int, to_server: bytes, from_server: bytes, session_id: int) -> None:
        kind, self._nonce_bytes = _KINDS[cipher]
        self._to_server, self._from_server = kind(to_server), kind(from_server)
        self._session_id = session_id
        # smbprotocol used some random nonces with this key, and none may be used twice; half the range is left to count
        self._nonces = count(secrets.randbits(8 * self._nonce_bytes - 1))

    def seal_message(self, message: bytes, _message_id: int) -> bytes:
        """The message as it is."""
        return message

    def seal_frame(self, frame: bytes) -> bytes:
        """The frame, encrypted."""
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

    def check_message(self, message: memoryview, message_id: int, payload: bytes = b"") -> None:
        """Nothing is left to prove: decrypting has done it."""
