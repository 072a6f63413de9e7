"""The bodies of grants. ``grantee_id`` is the user's, group's or project's own id."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave.catalog.tables import GranteeType, InstrumentGrant
from streamweave_api.bodies import Incoming, Outgoing


class NewGrant(Incoming):
    """Who is to see a file."""

    grantee_type: GranteeType
    grantee_id: UUID


class NewInstrumentGrant(NewGrant, kw_only=True):
    """Who is to see an instrument's files: all of them, or those below a folder such as ``share/folder``."""

    path_prefix: str | UnsetType | None = UNSET


class Ownership(Incoming):
    """Whose a file is; null for nobody's."""

    owner_id: UUID | None


class GrantBody(Outgoing):
    """That somebody may see a file."""

    id: UUID
    file_id: UUID
    grantee_type: GranteeType
    grantee_id: UUID
    granted_at: datetime


class InstrumentGrantBody(Outgoing):
    """That somebody may see an instrument's files, those to come among them; ``path_prefix`` null means all of them."""

    id: UUID
    instrument_id: UUID
    path_prefix: str | None
    grantee_type: GranteeType
    grantee_id: UUID
    granted_at: datetime


class PendingGrantBody(Outgoing):
    """That a file waits to be shown to somebody who is not in the catalog yet: an e-mail address, or a name."""

    id: UUID
    file_id: UUID
    grantee_type: GranteeType
    name: str
    noted_at: datetime


def instrument_grant_body(grant: InstrumentGrant) -> InstrumentGrantBody:
    """The grant, without a prefix where it is on everything."""
    return InstrumentGrantBody(
        id=grant.id,
        instrument_id=grant.instrument_id,
        path_prefix=grant.path_prefix or None,
        grantee_type=grant.grantee_type,
        grantee_id=grant.grantee_id,
        granted_at=grant.granted_at,
    )
