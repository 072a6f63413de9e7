"""Publication: a proven, staged copy gets its final name. Nothing that stands there already is ever overwritten."""

from streamweave.errors import DestinationOccupied
from streamweave.harvest.copying import Digest, digest_of
from streamweave.storage.base import Storage


def publish(storage: Storage, staged_name: str, path: str, digest: Digest) -> None:
    """Give the staged copy its final name.

    A run that died between publishing and cataloguing leaves the very bytes under the very name: they are read again,
    and taken over when they are the same. Raises ``DestinationOccupied`` when other bytes stand there; the staged copy
    is then dropped.
    """
    try:
        storage.publish(staged_name, path)
    except DestinationOccupied:
        storage.discard(staged_name)
        standing = digest_of(storage.read(path))
        if standing != digest:
            raise DestinationOccupied(
                f"{storage.address(path)} holds other bytes ({standing.size_bytes} bytes, "
                f"sha256 {standing.sha256}); they were left as they are"
            ) from None
