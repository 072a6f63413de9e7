"""Listings that no honest server gives: what impacket's server answers instead of them.

The share's own folder shows what is really in it and, first, what a ``Behaviour`` adds; whatever is asked for below
the folder ``TRAP`` is answered by it, for ever where it wants.
"""

import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TRAP = "trap"
CREATE, QUERY_DIRECTORY = 5, 14
STATUS_SUCCESS, NO_MORE_FILES = 0, 0x80000006
ARCHIVE, DIRECTORY = 0x20, 0x10
COMPOUND_HANDLE = b"\xff" * 16
FILETIME = 133_485_408_000_000_000  # 2024-01-01
NAMES_AT_ONCE = 400
_NAME_LENGTH_AT = 46  # in the body of a CREATE ([MS-SMB2] 2.2.13)

Answer = Callable[[int], bytes | None]
"""The entries for the so many-eth question about a folder, counted from 0; None behind the last."""


@dataclass(frozen=True)
class Behaviour:
    """What comes first in the share's own folder, and how each folder below ``TRAP`` answers."""

    in_base: bytes
    in_trap: Answer


def entry(name: str, *, folder: bool = False, size: int = 7, filetime: int = FILETIME) -> bytes:
    """One FileIdFullDirectoryInformation ([MS-FSCC] 2.4.22) that another one follows."""
    wide = name.encode("utf-16-le")
    padding = -(80 + len(wide)) % 8
    times = (filetime, filetime, filetime, filetime)
    attributes = DIRECTORY if folder else ARCHIVE
    fixed = (80 + len(wide) + padding, 0, *times, size, 0, attributes, len(wide), 0, 0, 0)
    return struct.pack("<IIQQQQQQIIIIQ", *fixed) + wide + bytes(padding)


def ended(entries: bytes) -> bytes:
    """The same entries, the last of which none follows."""
    place = 0
    while (step := struct.unpack_from("<I", entries, place)[0]) and place + step < len(entries):
        place += step
    return entries[:place] + bytes(4) + entries[place + 4 :]


def _joined(entries: Iterable[bytes]) -> bytes:
    return ended(b"".join(entries))


_NUMBERED = _joined(entry(f"frame_00000000_{number:03}.raw") for number in range(NAMES_AT_ONCE))
_FOLDERS = _joined(entry(f"run_{number:03}", folder=True) for number in range(NAMES_AT_ONCE))
_HUGE = _joined([entry("h" * 15_000), entry("d" * 14_000, folder=True)])


def _numbered(asked: int) -> bytes:
    return _NUMBERED.replace("_00000000_".encode("utf-16-le"), f"_{asked:08}_".encode("utf-16-le"))


def _once(entries: bytes) -> Answer:
    return lambda asked: None if asked else entries


def _never(_: int) -> bytes | None:
    threading.Event().wait()  # until the process ends
    return None


_A_TRAP = entry(TRAP, folder=True)
_IMPOSSIBLE = [
    entry("size_2_63.raw", size=(1 << 63) - 1),
    entry("size_2_64.raw", size=(1 << 64) - 1),
    entry("time_2_64.raw", filetime=(1 << 64) - 1),
]

BEHAVIOURS: Mapping[str, Behaviour] = {
    "endless-folder": Behaviour(_A_TRAP, _numbered),
    "repeated-names": Behaviour(_A_TRAP, lambda asked: _NUMBERED),
    "endless-nesting": Behaviour(_A_TRAP, _once(_joined([entry("again", folder=True)]))),
    "endless-folders": Behaviour(_A_TRAP, _once(_FOLDERS)),
    "huge-names": Behaviour(_A_TRAP, _once(_HUGE)),
    "impossible-sizes": Behaviour(b"".join(_IMPOSSIBLE), _once(_joined(_IMPOSSIBLE))),
    "silent-listing": Behaviour(_A_TRAP, _never),
}


def behave(server: Any, behaviour: Behaviour) -> None:
    """Have impacket's ``SMBSERVER`` answer so."""
    open_really: Any = server.hookSmb2Command(CREATE, lambda *asked: _open(open_really, *asked))
    list_really: Any = server.hookSmb2Command(QUERY_DIRECTORY, lambda *asked: _list(list_really, behaviour, *asked))


def _open(really: Any, connection_id: Any, server: Any, packet: Any) -> Any:
    """What lies in the trap is opened as the share's own folder, and noted."""
    body = bytearray(packet["Data"])
    (length,) = struct.unpack_from("<H", body, _NAME_LENGTH_AT)
    name = bytes(body[56 : 56 + length]).decode("utf-16-le").replace("\\", "/")
    is_trap = name.split("/")[0] == TRAP
    if is_trap:
        struct.pack_into("<H", body, _NAME_LENGTH_AT, 0)
        packet["Data"] = bytes(body)
    answer = really(connection_id, server, packet)
    if answer[2] == STATUS_SUCCESS:
        data = server.getConnectionData(connection_id)
        opened = data["OpenedFiles"][answer[0][0]["FileID"]]
        opened["Trap"], opened["Base"], opened["Asked"] = is_trap, name in {"", "\0"}, 0
        server.setConnectionData(connection_id, data)
    return answer


def _list(really: Any, behaviour: Behaviour, connection_id: Any, server: Any, packet: Any) -> Any:
    from impacket import smb3structs as smb2  # an optional extra

    request = smb2.SMB2QueryDirectory(packet["Data"])
    data = server.getConnectionData(connection_id)
    handle = request["FileID"].getData()
    if handle == COMPOUND_HANDLE:
        handle = data["LastRequest"]["SMB2_CREATE"]["FileID"]
    opened = data["OpenedFiles"][handle]
    asked, opened["Asked"] = opened["Asked"], opened["Asked"] + 1
    server.setConnectionData(connection_id, data)
    if not opened["Trap"]:
        return _with_more(
            really(connection_id, server, packet), behaviour.in_base if opened["Base"] and not asked else b""
        )
    entries = behaviour.in_trap(asked)
    if entries is None:
        return [smb2.SMB2Error()], None, NO_MORE_FILES
    answer = smb2.SMB2QueryDirectory_Response()
    answer["OutputBufferOffset"], answer["OutputBufferLength"], answer["Buffer"] = 0x48, len(entries), entries
    return [answer], None, STATUS_SUCCESS


def _with_more(answer: Any, more: bytes) -> Any:
    if more and answer[2] == STATUS_SUCCESS:
        answer[0][0]["Buffer"] = more + answer[0][0]["Buffer"]
        answer[0][0]["OutputBufferLength"] = len(answer[0][0]["Buffer"])
    return answer
