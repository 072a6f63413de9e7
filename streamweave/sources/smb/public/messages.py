"""The messages that we send, made with smbprotocol ([MS-SMB2] 2.2). ``Messages`` says what each is for."""

from typing import Any

from smbprotocol.file_info import FileInformationClass, InfoType
from smbprotocol.open import (
    CloseFlags,
    CreateDisposition,
    CreateOptions,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    RequestedOplockLevel,
    SMB2CloseRequest,
    SMB2CreateRequest,
    SMB2QueryDirectoryRequest,
    SMB2QueryInfoRequest,
    SMB2ReadRequest,
)

from streamweave.sources.smb.connection import COMPOUND_HANDLE, SHARE_ALL

_READ = (
    FilePipePrinterAccessMask.FILE_READ_DATA  # for a folder the same bit means: list it
    | FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES
    | FilePipePrinterAccessMask.SYNCHRONIZE
)


def open_folder(path: str) -> Any:
    return _create(path, SHARE_ALL, CreateOptions.FILE_DIRECTORY_FILE)


def open_file(path: str, share_access: int, *, yielding: bool = False) -> Any:
    message = _create(path, share_access, CreateOptions.FILE_NON_DIRECTORY_FILE)
    if yielding:
        message["requested_oplock_level"] = RequestedOplockLevel.SMB2_OPLOCK_LEVEL_BATCH
    return message


def _create(path: str, share_access: int, options: int) -> Any:
    message = SMB2CreateRequest()
    message["impersonation_level"] = ImpersonationLevel.Impersonation
    message["desired_access"] = _READ
    message["share_access"] = share_access
    message["create_disposition"] = CreateDisposition.FILE_OPEN
    message["create_options"] = options
    message["buffer_path"] = path.encode("utf-16-le") or b"\0\0"  # the share's own folder has no name
    return message


def list_entries(length: int, handle: bytes = COMPOUND_HANDLE) -> Any:
    message = SMB2QueryDirectoryRequest()
    message["file_information_class"] = FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION
    message["file_id"] = handle
    message["output_buffer_length"] = length
    message["buffer"] = "*".encode("utf-16-le")
    return message


def read(offset: int, length: int, handle: bytes = COMPOUND_HANDLE) -> Any:
    message = SMB2ReadRequest()
    message["offset"] = offset
    message["length"] = length
    message["file_id"] = handle
    message["padding"] = b"\x50"  # where the data should begin in the answer: right behind its header
    return message


def query_size_and_time(handle: bytes) -> Any:
    message = SMB2QueryInfoRequest()
    message["info_type"] = InfoType.SMB2_0_INFO_FILE
    message["file_info_class"] = FileInformationClass.FILE_NETWORK_OPEN_INFORMATION
    message["output_buffer_length"] = 56
    message["file_id"] = handle
    return message


def close(handle: bytes = COMPOUND_HANDLE) -> Any:
    message = SMB2CloseRequest()
    message["flags"] = CloseFlags.SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB
    message["file_id"] = handle
    return message
