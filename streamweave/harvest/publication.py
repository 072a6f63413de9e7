"""Publication: proven, staged copies get their final names. Nothing that exists there already is ever overwritten."""

from collections.abc import Mapping

from streamweave.errors import DestinationOccupied, PathUnusable, StorageError, StorageRefused
from streamweave.harvest.copying import Digest, digest_of
from streamweave.storage.archive_paths import next_path
from streamweave.storage.base import Storage

NUMBERED_NAMES = 16
"""So many numbered names are tried for one file before the last resort."""

Outcome = str | StorageError


def publish(storage: Storage, paths: Mapping[str, str], digests: Mapping[str, Digest]) -> dict[str, Outcome]:
    """Give staged copies their final names: the paths that they got, or what went wrong, by their staged names.

    ``paths`` are the wanted ones. A run that died between publishing and cataloguing leaves the very bytes under the
    very name: they are read again, and taken over when they are the same. Where a path can't be used otherwise,
    ``naming.next_path`` gives the next one. What can't get any name is dropped from the staging area.
    """
    outcomes: dict[str, Outcome] = {}
    trying = dict(paths)
    tries = 0
    while trying:
        failed = storage.publish_many(trying)
        outcomes |= {name: path for name, path in trying.items() if name not in failed}
        following: dict[str, str] = {}
        for name, error in failed.items():
            try:
                if _is_taken_over(storage, name, trying[name], digests[name], error):
                    outcomes[name] = trying[name]
                elif another := _another(paths[name], trying[name], error, tries):
                    following[name] = another
                else:
                    outcomes[name] = _given_up(storage, name, error)
            except StorageError as failure:
                outcomes[name] = failure
        trying = following
        tries += 1
    return outcomes


def _is_taken_over(storage: Storage, staged_name: str, path: str, digest: Digest, error: StorageError) -> bool:
    """Whether the very bytes that were staged have the final name already; the staged copy is dropped then.

    What can't be read as a file is something else.
    """
    if not isinstance(error, DestinationOccupied):
        return False
    try:
        found = digest_of(storage.read(path, length=digest.size_bytes + 1))
    except StorageRefused:
        return False
    if found == digest:
        storage.discard(staged_name)
    return found == digest


def _another(wanted: str, path: str, error: StorageError, tries: int) -> str | None:
    if not isinstance(error, PathUnusable):
        return None
    return next_path(wanted, path, error.part if tries < NUMBERED_NAMES else None)


def _given_up(storage: Storage, staged_name: str, error: StorageError) -> StorageError:
    """What goes on record. A storage that doesn't even take the last resort is out of order itself."""
    if not isinstance(error, PathUnusable):
        return error
    storage.discard(staged_name)
    return error if error.part is not None else StorageRefused(str(error))
