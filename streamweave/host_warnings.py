"""What a process says at its start about the host that it runs on."""

import os

from streamweave.catalog.deletion import listing
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import StorageLocation, StorageType
from streamweave.storage.roots import StorageRoots

AS_ROOT = (
    "running as root: whoever can have files written or code run here has the whole machine; "
    "run StreamWeave under an account of its own"
)


def root_warning() -> list[str]:
    """A sentence if this process is root's, which it need not be."""
    return [AS_ROOT] if os.geteuid() == 0 else []


def start_warnings(sessions: Sessions, roots: StorageRoots) -> list[str]:
    """That of root, and one for each storage location that is in use outside of the storage roots."""
    posix = listing(StorageLocation).where(StorageLocation.type == StorageType.POSIX).order_by(StorageLocation.name)
    with sessions() as session:
        notices = [(location.name, roots.notice(location.base_path)) for location in session.scalars(posix)]
    return root_warning() + [f"storage location {name}: {notice}" for name, notice in notices if notice]
