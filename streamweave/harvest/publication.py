"""Publication: a proven, staged copy gets its final name. Nothing that stands there already is ever overwritten."""

from streamweave.errors import DestinationOccupied
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import Digest, digest_of
from streamweave.storage.base import Storage


def publish(storage: Storage, claim: Claim, digest: Digest) -> None:
    """Give the staged copy its final name.

    A run that died between publishing and cataloguing leaves the very bytes under the very name: they are read again,
    and taken over when they are the same. Raises ``DestinationOccupied`` when other bytes stand there; the staged copy
    is then dropped.
    """
    try:
        storage.publish(claim.staged_name, claim.destination_path)
    except DestinationOccupied:
        storage.discard(claim.staged_name)
        standing = digest_of(storage.read(claim.destination_path))
        if standing != digest:
            raise DestinationOccupied(
                f"{storage.address(claim.destination_path)} holds other bytes ({standing.size_bytes} bytes, "
                f"sha256 {standing.sha256}); they were left as they are"
            ) from None
