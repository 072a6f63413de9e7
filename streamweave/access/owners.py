"""Whose files are whose. The caller commits."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from streamweave.access.grantees import Grantee, referable_grantee
from streamweave.access.grants import visible_file
from streamweave.catalog.tables import GranteeType, User
from streamweave.errors import InvalidInput
from streamweave.validation import Rule, checked, identity, optional, require

OWNER: dict[str, Rule] = {"owner_id": optional(identity)}


def set_owner(session: Session, viewer: User, file_id: uuid.UUID, values: Mapping[str, Any]) -> None:
    """Let the file belong to the user ``owner_id``, or to nobody. Raises ``NotFound`` or ``InvalidInput``."""
    record = visible_file(session, viewer, file_id)
    fields = checked(OWNER, values)
    require(fields, "owner_id")
    owner_id = fields["owner_id"]
    if owner_id is not None and referable_grantee(session, Grantee(GranteeType.USER, owner_id)) is None:
        raise InvalidInput("owner_id", "there is no such user")
    record.owner_id = owner_id
    session.flush()
