"""The identity of the catalog: which catalog this is, among all that may reach the same storage."""

import uuid

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.tables import CatalogIdentity, JournalPosition, StorageLocation, Transfer, TransferStatus


def catalog_id(session: Session) -> uuid.UUID:
    """The id of this catalog. It stays the same for ever, also in every dump that is restored."""
    return session.scalars(select(CatalogIdentity.id)).one()


def renew_identity(session: Session) -> uuid.UUID:
    """Give the catalog a new id, and return it. The caller commits.

    Meant for a copy of a catalog that is to live beside the original: every storage location refuses it from then on,
    until it is adopted. The journals there are the original's: what is archived is yet to be noted in some of its own.
    """
    identity = session.scalars(select(CatalogIdentity).with_for_update()).one()
    identity.previous_id, identity.id = identity.id, uuid.uuid4()
    identity.created_at = session.scalars(select(func.statement_timestamp())).one()
    copies = select(Transfer.id).where(
        Transfer.storage_location_id == StorageLocation.id, Transfer.status == TransferStatus.COMPLETED
    )
    unnoted = {"journal_is_complete": False, "updated_at": StorageLocation.updated_at}
    session.execute(update(StorageLocation).where(copies.exists()).values(unnoted))
    session.execute(delete(JournalPosition))
    return identity.id
