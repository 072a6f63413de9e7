"""Renaming a file without ever replacing another one."""

import ctypes
import errno
import os
import threading

# Errors of file systems without hard links (exFAT, many network and FUSE mounts), or one whose link count is used up.
NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
NO_EXCLUSIVE_RENAME = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
RENAME_NOREPLACE = 1  # renameat2(2)

_renaming = threading.Lock()


def move_without_replacing(name: str, folder: int, final_name: str, final_folder: int) -> None:
    """Move ``name`` in the folder handle ``folder`` to ``final_name`` in ``final_folder``, atomically.

    Raises ``FileExistsError`` when anything has that name (the file is then kept), or another ``OSError``. A move that
    a killed process left unfinished, so that both names belong to the same file, is finished.
    """
    try:
        os.link(name, final_name, src_dir_fd=folder, dst_dir_fd=final_folder, follow_symlinks=False)
    except FileExistsError:
        if not _same_file(name, folder, final_name, final_folder):
            raise
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        _rename_without_replacing(name, folder, final_name, final_folder)
        return
    os.unlink(name, dir_fd=folder)


def _same_file(name: str, folder: int, final_name: str, final_folder: int) -> bool:
    staged = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return os.path.samestat(staged, os.stat(final_name, dir_fd=final_folder, follow_symlinks=False))


def _rename_without_replacing(name: str, folder: int, final_name: str, final_folder: int) -> None:
    try:
        _renameat2(name, folder, final_name, final_folder)
    except OSError as error:
        if error.errno not in NO_EXCLUSIVE_RENAME:
            raise
        _check_and_rename(name, folder, final_name, final_folder)


def _renameat2(name: str, folder: int, final_name: str, final_folder: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if libc.renameat2(folder, os.fsencode(name), final_folder, os.fsencode(final_name), RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), final_name)


def _check_and_rename(name: str, folder: int, final_name: str, final_folder: int) -> None:
    """The last resort: exclusive among the threads of this process only."""
    with _renaming:
        try:
            os.stat(final_name, dir_fd=final_folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, final_name, src_dir_fd=folder, dst_dir_fd=final_folder)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), final_name)
