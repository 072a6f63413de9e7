"""The few SMB2 messages that we send, and what we take out of their answers ([MS-SMB2] 2.2).

Answers are unpacked with ``struct``: smbprotocol's own unpacking costs more than the rest of a listing together.
"""

import struct
from typing import Any

from smbprotocol.file_info import FileInformationClass, InfoType
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    QueryDirectoryFlags,
    ShareAccess,
    SMB2CloseRequest,
    SMB2CreateRequest,
    SMB2QueryDirectoryRequest,
    SMB2QueryInfoRequest,
    SMB2ReadRequest,
)

CREDIT_BYTES = 1 << 16  # 3.2.4.1.5: what one credit pays for
COMPOUND_HANDLE = b"\xff" * 16  # 3.2.4.1.4: the handle that the compound's first message opens
SHARE_READ = ShareAccess.FILE_SHARE_READ
SHARE_ALL = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE

_HEADER_BYTES = 64
_READ = (
    FilePipePrinterAccessMask.FILE_READ_DATA  # for a folder the same bit means: list it
    | FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES
    | FilePipePrinterAccessMask.SYNCHRONIZE
)
_SIZE_AND_HANDLE = struct.Struct("<48xQ8x16s")  # 2.2.14
_LAST_WRITE_AND_SIZE = struct.Struct("<16xQ16xQ")  # FileNetworkOpenInformation, [MS-FSCC] 2.4.34


def open_folder(path: str) -> Any:
    """Open a folder below the share for listing."""
    return _create(path, SHARE_ALL, CreateOptions.FILE_DIRECTORY_FILE)


def open_file(path: str, share_access: int) -> Any:
    """Open a file below the share for reading; ``share_access`` is what others may do to it meanwhile."""
    return _create(path, share_access, CreateOptions.FILE_NON_DIRECTORY_FILE)


def _create(path: str, share_access: int, options: int) -> Any:
    message = SMB2CreateRequest()
    message["impersonation_level"] = ImpersonationLevel.Impersonation
    message["desired_access"] = _READ
    message["share_access"] = share_access
    message["create_disposition"] = CreateDisposition.FILE_OPEN
    message["create_options"] = options
    message["buffer_path"] = path.encode("utf-16-le") or b"\0\0"  # the share's own folder has no name
    return message


def list_entries(length: int, handle: bytes = COMPOUND_HANDLE, *, restart: bool = False) -> Any:
    """Ask for at most ``length`` bytes of a folder's next entries, or of its first."""
    message = SMB2QueryDirectoryRequest()
    message["file_information_class"] = FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION
    message["flags"] = QueryDirectoryFlags.SMB2_RESTART_SCANS if restart else 0
    message["file_id"] = handle
    message["output_buffer_length"] = length
    message["buffer"] = "*".encode("utf-16-le")
    return message


def read(offset: int, length: int, handle: bytes = COMPOUND_HANDLE) -> Any:
    """Ask for at most ``length`` bytes of a file from ``offset``."""
    message = SMB2ReadRequest()
    message["offset"] = offset
    message["length"] = length
    message["file_id"] = handle
    message["padding"] = b"\x50"  # where the data should begin in the answer: right behind its header
    return message


def query_size_and_time(handle: bytes) -> Any:
    """Ask for an open file's size and times."""
    message = SMB2QueryInfoRequest()
    message["info_type"] = InfoType.SMB2_0_INFO_FILE
    message["file_info_class"] = FileInformationClass.FILE_NETWORK_OPEN_INFORMATION
    message["output_buffer_length"] = 56
    message["file_id"] = handle
    return message


def close(handle: bytes = COMPOUND_HANDLE) -> Any:
    """Let go of a handle."""
    message = SMB2CloseRequest()
    message["file_id"] = handle
    return message


def size_and_handle(answer: bytes) -> tuple[int, bytes]:
    """The size in bytes and the handle of what was opened."""
    size, handle = _SIZE_AND_HANDLE.unpack_from(answer)
    return size, handle


def data_read(answer: bytes) -> bytes:
    """The data in the answer to ``read`` (2.2.20)."""
    _, offset, _, length = struct.unpack_from("<HBBI", answer)
    return answer[offset - _HEADER_BYTES :][:length]


def output(answer: bytes) -> bytes:
    """The output buffer in the answer to a query (2.2.34, 2.2.38)."""
    _, offset, length = struct.unpack_from("<HHI", answer)
    return answer[offset - _HEADER_BYTES :][:length]


def filetime_and_size(answer: bytes) -> tuple[int, int]:
    """The FILETIME of the last write and the size in bytes, from the answer to ``query_size_and_time``."""
    filetime, size = _LAST_WRITE_AND_SIZE.unpack_from(output(answer))
    return filetime, size
