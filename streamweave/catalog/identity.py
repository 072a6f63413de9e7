"""The identity of the catalog: which catalog this is, among all that may reach the same storage."""

import uuid

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import CatalogIdentity


def catalog_id(session: Session) -> uuid.UUID:
    """The id of this catalog. It stays the same for ever, also in every dump that is restored."""
    return session.scalars(select(CatalogIdentity.id)).one()


def renew_identity(session: Session) -> uuid.UUID:
    """Give the catalog a new id, and return it. The caller commits.

    Meant for a copy of a catalog that is to live beside the original: every storage location refuses it from then on,
    until it is adopted.
    """
    identity = session.scalars(select(CatalogIdentity).with_for_update()).one()
    identity.previous_id, identity.id = identity.id, uuid.uuid4()
    identity.created_at = session.scalars(select(func.statement_timestamp())).one()
    return identity.id
