"""Taking an authenticated connection over from smbprotocol: the one place that touches its internals.

Everything is checked before it is relied on. With a version of smbprotocol that is made differently, ``CanNotTakeOver``
is raised, and the share is read through the public interface.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from streamweave.sources.smb.connection import OpenedShare
from streamweave.sources.smb.errors import WIRE_ERRORS
from streamweave.sources.smb.frames.protection import (
    AES_128_CCM,
    AES_128_GCM,
    AES_256_CCM,
    AES_256_GCM,
    AES_CMAC,
    AES_GMAC,
    HMAC_SHA256,
)

SMB_2_1, SMB_3_0, SMB_3_0_2, SMB_3_1_1 = 0x0210, 0x0300, 0x0302, 0x0311
KEY_BYTES = {AES_128_CCM: 16, AES_128_GCM: 16, AES_256_CCM: 32, AES_256_GCM: 32}


class CanNotTakeOver(Exception):
    """The message says why. Nothing was changed: the share can be used as it is."""


class HandoverFailed(CanNotTakeOver):
    """It was found too late: the share can't be used any more."""


class Unexpected(Exception):
    """The message says what."""


@dataclass(frozen=True, slots=True)
class Handover:
    """All that a connection needs. Without a ``cipher`` messages are signed. Sizes are in bytes."""

    socket: socket.socket
    session_id: int
    tree_id: int
    next_id: int
    credits: int
    largest_read: int
    largest_listing: int
    signing_algorithm: int = AES_CMAC
    signing_key: bytes = field(default=b"", repr=False)
    cipher: int | None = None
    encryption_key: bytes = field(default=b"", repr=False)
    decryption_key: bytes = field(default=b"", repr=False)


class LastReceipt:
    """Replaces ``recv`` of smbprotocol's transport, and ends its thread by an empty message.

    Only once the thread has taken the answer that it still waits for: else that one would be lost, or the thread would
    take one of ours.
    """

    def __init__(self, transport: Any) -> None:
        self._receive = transport.recv
        self.is_next = False
        self._is_over = False

    def __call__(self, timeout: float) -> bytes:
        if self._is_over:
            return b""
        message: bytes = self._receive(timeout)
        self._is_over = self.is_next
        return message


def take_over(share: OpenedShare) -> Handover:
    """The connection as smbprotocol leaves it. Raises ``CanNotTakeOver`` or ``SourceUnreachable``."""
    with _raised_as(CanNotTakeOver):
        protection = _protection(share)
    with _raised_as(HandoverFailed):
        _end_thread(share)
        return _handover(share, protection)


@contextmanager
def _raised_as(kind: type[CanNotTakeOver]) -> Iterator[None]:
    try:
        yield
    except Unexpected as reason:
        raise kind(str(reason)) from reason
    except WIRE_ERRORS as error:  # an attribute that is not there, say
        raise kind(f"smbprotocol is not made as expected: {error!r}") from error


def _protection(share: OpenedShare) -> dict[str, Any]:
    connection, session, tree = share.connection, share.session, share.tree
    _expect(connection.dialect in {SMB_2_1, SMB_3_0, SMB_3_0_2, SMB_3_1_1}, f"its dialect is {connection.dialect:#06x}")
    _expect(connection.supports_multi_credit is True, "it knows no multi-credit operations")
    _expect(tree.is_dfs_share is False, "its share is part of a distributed file system")
    if not (session.encrypt_data or tree.encrypt_data):
        _expect(session.signing_required is True, "its messages are not signed")
        _expect_key(session.signing_key, 16)
        return {"signing_algorithm": _signing_algorithm(connection), "signing_key": session.signing_key}
    cipher = connection.cipher_id if connection.dialect == SMB_3_1_1 else AES_128_CCM
    _expect(cipher in KEY_BYTES, f"its cipher is {cipher}")
    keys = {"encryption_key": session.encryption_key, "decryption_key": session.decryption_key}
    for key in keys.values():
        _expect_key(key, KEY_BYTES[cipher])
    return {"cipher": int(cipher), **keys}


def _signing_algorithm(connection: Any) -> int:
    """[MS-SMB2] 3.1.4.1. Before SMB 3.1.1, and without a word about it, the dialect decides."""
    if connection.dialect < SMB_3_0:
        return HMAC_SHA256
    algorithm = connection.signing_algorithm_id if connection.dialect == SMB_3_1_1 else None
    _expect(algorithm in {None, HMAC_SHA256, AES_CMAC, AES_GMAC}, f"its signing algorithm is {algorithm}")
    return AES_CMAC if algorithm is None else int(algorithm)


def _end_thread(share: OpenedShare) -> None:
    transport, thread = share.connection.transport, share.connection._t_worker
    receipt = transport.recv = LastReceipt(transport)
    share.ask_for_credits()  # from here on, the thread waits within ours
    receipt.is_next = True
    share.ask_for_credits()
    thread.join(share.address.timeout_seconds)
    _expect(not thread.is_alive(), "smbprotocol's thread still runs")


def _handover(share: OpenedShare, protection: dict[str, Any]) -> Handover:
    connection, window = share.connection, share.connection.sequence_window
    _expect(isinstance(connection.transport._sock, socket.socket), "smbprotocol has no socket")
    _expect(not connection.outstanding_requests, "answers are still expected")
    connection.transport._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Handover(
        socket=connection.transport._sock,
        session_id=int(share.session.session_id),
        tree_id=int(share.tree.tree_connect_id),
        next_id=int(window["low"]),
        credits=int(window["high"]) - int(window["low"]),
        largest_read=int(connection.max_read_size),
        largest_listing=int(connection.max_transact_size),
        **protection,
    )


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Unexpected(otherwise)


def _expect_key(key: object, length: int) -> None:
    _expect(isinstance(key, bytes) and len(key) == length, "a key is not as long as its algorithm wants")
