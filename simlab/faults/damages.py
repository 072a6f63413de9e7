"""Damages that a line does to the bytes themselves: each makes a fresh one, for it may remember what it did."""

from collections.abc import Callable, Mapping

from simlab.faults.line import Damage


def cut() -> Damage:
    """The connection ends."""
    return lambda said: None


def stalled() -> Damage:
    """Nothing arrives any more."""
    return lambda said: b""


def stalled_within_an_answer() -> Damage:
    """Half of what is said arrives, and then nothing more."""
    parts = iter([2])
    return lambda said: said[: len(said) // 2] if next(parts, None) else b""


def stalled_behind_an_announcement() -> Damage:
    """The first answer is put off ([MS-SMB2] 3.3.4.2), and then nothing more is said."""
    first = iter([True])

    def put_off(said: bytes) -> bytes:
        if not next(first, False):
            return b""
        message = bytearray(said[4:])
        del message[int.from_bytes(message[20:24], "little") or len(message) :]
        message[8:12] = b"\3\1\0\0"  # the status: pending
        message[16] |= 0x2  # asynchronous
        message[20:24] = bytes(4)  # no other message follows
        return len(message).to_bytes(4, "big") + message

    return put_off


def garbled_by_a_bit() -> Damage:
    """The last bit is another."""
    return lambda said: said[:-1] + bytes([said[-1] ^ 1])


def garbled() -> Damage:
    """Everything arrives backwards."""
    return lambda said: said[::-1]


def forged() -> Damage:
    """One answer comes in the guise of a session's set-up, which nobody has to sign before the session stands."""
    first = iter([True])

    def forge(said: bytes) -> bytes:
        if not next(first, False):
            return said
        frame = bytearray(said)
        header = memoryview(frame)[4:68]
        header[12:14] = b"\1\0"  # the command
        header[16] &= ~0x8  # signed
        header[40:64] = bytes(24)  # the session and the signature
        return bytes(frame)

    return forge


def frames_said_to_be_longer() -> Damage:
    """Each frame says that it is longer than it is."""
    return lambda said: b"\0\1" + said[2:]


DAMAGES: Mapping[str, Callable[[], Damage]] = {
    "it is cut": cut,
    "it stalls": stalled,
    "it stalls within an answer": stalled_within_an_answer,
    "it stalls behind an announcement": stalled_behind_an_announcement,
    "it garbles a bit": garbled_by_a_bit,
    "it garbles all": garbled,
    "it forges an answer": forged,
    "it makes frames longer than they are": frames_said_to_be_longer,
}
