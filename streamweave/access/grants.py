"""Grants on files, on instruments, and on folders of instruments. The caller commits."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.access.grantees import Grantee, referable_grantee
from streamweave.access.visibility import visible_files
from streamweave.catalog.deletion import present, referable
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import FileGrant, FileRecord, GranteeType, Instrument, InstrumentGrant, User
from streamweave.errors import Conflict, InvalidInput, NotFound
from streamweave.validation import CONTROL, Rule, checked, identity, one_word_of, optional, require, shaped, sound, text

LONGEST_PREFIX = 400  # characters: with the slash after it, it must fit into what the index holds of a path

_GRANTED = Order(FileGrant.granted_at, FileGrant.id)
_GRANTED_ON_INSTRUMENT = Order(InstrumentGrant.granted_at, InstrumentGrant.id)


@shaped(
    type="string",
    minLength=1,
    maxLength=LONGEST_PREFIX,
    pattern=sound(CONTROL, besides=r"(?!/*$)(?!(?:.*/)?\.{1,2}(?:/|$))"),
)
def path_prefix(field: str, value: Any) -> str:
    """A folder as in ``source_path``: the share's name first, ``/`` between its parts."""
    checked: str = text(longest=LONGEST_PREFIX)(field, value)
    parts = [part for part in checked.split("/") if part]
    if not parts or "." in parts or ".." in parts:
        raise InvalidInput(field, "must be a folder like share/folder; leave it out for all files")
    return "/".join(parts)


TO_GRANTEE: dict[str, Rule] = {"grantee_type": one_word_of(*GranteeType), "grantee_id": identity}
ON_INSTRUMENT: dict[str, Rule] = {**TO_GRANTEE, "path_prefix": optional(path_prefix)}


def visible_file(session: Session, viewer: User, file_id: uuid.UUID) -> FileRecord:
    """Raises ``NotFound`` for what ``viewer`` may not see, too."""
    record = session.scalar(select(FileRecord).where(FileRecord.id == file_id, visible_files(session, viewer)))
    if record is None:
        raise NotFound("File")
    return record


def file_grants(session: Session, viewer: User, file_id: uuid.UUID, request: PageRequest) -> Page[FileGrant]:
    """Who a file is granted to, in the order in which it was. Raises ``NotFound``."""
    visible_file(session, viewer, file_id)
    return page_of(session, select(FileGrant).where(FileGrant.file_id == file_id), _GRANTED, request)


def grant_file(session: Session, viewer: User, file_id: uuid.UUID, values: Mapping[str, Any]) -> FileGrant:
    """Show a file to the ``grantee_id`` of ``grantee_type``. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    record = visible_file(session, viewer, file_id)
    grantee = _grantee(session, checked(TO_GRANTEE, values))
    same = select(FileGrant.id).where(FileGrant.file_id == file_id, FileGrant.grantee_id == grantee.id)
    if session.scalar(same) is not None:
        raise Conflict(f"the file is granted to this {grantee.type} already")
    grant = FileGrant(file_id=file_id, discovered_at=record.first_discovered_at, **grantee.columns)
    session.add(grant)
    session.flush()
    return grant


def revoke_file_grant(session: Session, file_id: uuid.UUID, grant_id: uuid.UUID) -> None:
    """Take a grant on a file back. Raises ``NotFound``."""
    grant = session.get(FileGrant, grant_id)
    if grant is None or grant.file_id != file_id:
        raise NotFound("Grant")
    session.delete(grant)
    session.flush()


def instrument_grants(session: Session, instrument_id: uuid.UUID, request: PageRequest) -> Page[InstrumentGrant]:
    """Who an instrument's files are granted to, in the order in which they were. Raises ``NotFound``."""
    present(session, Instrument, instrument_id, "Instrument")
    query = select(InstrumentGrant).where(InstrumentGrant.instrument_id == instrument_id)
    return page_of(session, query, _GRANTED_ON_INSTRUMENT, request)


def grant_instrument(session: Session, instrument_id: uuid.UUID, values: Mapping[str, Any]) -> InstrumentGrant:
    """Show an instrument's files, or those below ``path_prefix``, to somebody, and those that are yet to come.

    Raises ``NotFound``, ``InvalidInput`` or ``Conflict``.
    """
    if referable(session, Instrument, instrument_id) is None:
        raise NotFound("Instrument")
    fields = checked(ON_INSTRUMENT, values)
    grantee, prefix = _grantee(session, fields), fields.get("path_prefix") or ""
    same = select(InstrumentGrant.id).where(
        InstrumentGrant.instrument_id == instrument_id,
        InstrumentGrant.path_prefix == prefix,
        InstrumentGrant.grantee_id == grantee.id,
    )
    if session.scalar(same) is not None:
        raise Conflict(f"the same is granted to this {grantee.type} already")
    grant = InstrumentGrant(instrument_id=instrument_id, path_prefix=prefix, **grantee.columns)
    session.add(grant)
    session.flush()
    return grant


def revoke_instrument_grant(session: Session, instrument_id: uuid.UUID, grant_id: uuid.UUID) -> None:
    """Take a grant on an instrument back. Raises ``NotFound``."""
    grant = session.get(InstrumentGrant, grant_id)
    if grant is None or grant.instrument_id != instrument_id:
        raise NotFound("Grant")
    session.delete(grant)
    session.flush()


def _grantee(session: Session, fields: Mapping[str, Any]) -> Grantee:
    require(fields, "grantee_type", "grantee_id")
    grantee = Grantee(GranteeType(fields["grantee_type"]), fields["grantee_id"])
    if referable_grantee(session, grantee) is None:
        raise InvalidInput("grantee_id", f"there is no such {grantee.type}")
    return grantee
