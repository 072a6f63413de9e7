"""Publication: proven, staged copies get their final names. Nothing that stands there already is ever overwritten."""

from collections.abc import Mapping

from streamweave.errors import DestinationOccupied, StorageError
from streamweave.harvest.copying import Digest, digest_of
from streamweave.storage.base import Storage


def publish(storage: Storage, paths: Mapping[str, str], digests: Mapping[str, Digest]) -> dict[str, StorageError]:
    """Give staged copies their final names; returns what went wrong. Everything goes by the staged names.

    A run that died between publishing and cataloguing leaves the very bytes under the very name: they are read again,
    and taken over when they are the same. Other bytes that stand there are a ``DestinationOccupied``; the staged copy
    is dropped.
    """
    failed = storage.publish_many(paths)
    for staged_name, error in list(failed.items()):
        if isinstance(error, DestinationOccupied):
            try:
                _take_over(storage, staged_name, paths[staged_name], digests[staged_name])
                del failed[staged_name]
            except StorageError as refusal:
                failed[staged_name] = refusal
    return failed


def _take_over(storage: Storage, staged_name: str, path: str, digest: Digest) -> None:
    storage.discard(staged_name)
    standing = digest_of(storage.read(path))
    if standing != digest:
        raise DestinationOccupied(
            f"{storage.address(path)} holds other bytes ({standing.size_bytes} bytes, "
            f"sha256 {standing.sha256}); they were left as they are"
        )
