"""Storage locations, for admins."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import post
from litestar.params import FromPath, Parameter
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import Session

from streamweave.catalog.tables import StorageLocation, StorageType
from streamweave.journal.readoption import recent_conflicts
from streamweave.storage.locations import (
    StorageAnswer,
    adopt_storage_location,
    create_storage_location,
    delete_storage_location,
    restore_storage_location,
    storage_location_by_id,
    try_storage,
    update_storage_location,
)
from streamweave.storage.marking import open_marked
from streamweave.storage.marks import Mark
from streamweave.storage.opening import storage_opener
from streamweave_api.bodies import Incoming, Outgoing, shown
from streamweave_api.resources import Resource, resource_router
from streamweave_api.service import Service, TheService


class ConnectionConfig(Incoming):
    """How an s3 location is reached; empty for a posix one. ``access_key_id`` and the secret are required."""

    endpoint_url: Annotated[
        str | UnsetType, Parameter(description="The server, `https://s3.example.org`; without it Amazon's in `region`")
    ] = UNSET
    region: Annotated[str | UnsetType, Parameter(description="`us-east-1` unless given")] = UNSET
    access_key_id: str | UnsetType = UNSET
    secret_access_key: Annotated[
        str | UnsetType,
        Parameter(
            description="Sealed as it comes in, and never shown. May be left out of a change that keeps key and server",
            schema_extra={"write_only": True, "format": "password"},
        ),
    ] = UNSET
    allow_http: Annotated[bool | UnsetType, Parameter(description="Whether `endpoint_url` may be unencrypted")] = UNSET
    path_style: Annotated[
        bool | UnsetType,
        Parameter(description="`host/bucket` rather than `bucket.host`; unless given, true with an `endpoint_url`"),
    ] = UNSET


class StorageLocationChanges(Incoming):
    """Any of a storage location's fields; ``base_path`` and ``type`` are fixed once it is in use."""

    name: str | UnsetType = UNSET
    type: Annotated[str | UnsetType, Parameter(description="`posix` unless given, or `s3`")] = UNSET
    connection_config: ConnectionConfig | UnsetType = UNSET
    base_path: Annotated[
        str | UnsetType, Parameter(description="An absolute path, or for the type s3 `s3://bucket/prefix`")
    ] = UNSET
    enabled: bool | UnsetType = UNSET


class NewStorageLocation(StorageLocationChanges, kw_only=True):
    """A storage location as it is entered."""

    name: str
    base_path: Annotated[str, Parameter(description="An absolute path, or for the type s3 `s3://bucket/prefix`")]
    adopt: Annotated[
        bool | UnsetType,
        Parameter(
            description="Take over a place that another catalog or location has marked: it is refused there from then "
            "on. Without it such a place can't be entered"
        ),
    ] = UNSET


class StorageLocationBody(Outgoing):
    """A storage location; its ``connection_config`` without the secret.

    ``notice`` says, in a sentence, what the person who runs the host should know of its place.
    """

    id: UUID
    name: str
    type: str
    connection_config: dict[str, Any]
    base_path: str
    enabled: bool
    marked_at: Annotated[
        datetime | None,
        Parameter(description="When the mark at its place was made; null until it is marked at first sight"),
    ]
    refused_at: Annotated[datetime | None, Parameter(description="Since when its place is refused; null if it is not")]
    refusal: Annotated[str | None, Parameter(description="Why its place is refused, as a sentence")]
    journal_conflicts: Annotated[
        str | None,
        Parameter(
            description="What its journals and the catalog said differently in the last 14 days, as a sentence; "
            "`streamweave verify` names all of it"
        ),
    ]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    notice: Annotated[
        str | None, Parameter(description="That its folder is none of the host's storage roots, and what follows")
    ]


class AdoptedPlace(Outgoing, kw_only=True):
    """A location whose place was taken over, and whose mark was there before; null where no mark said so."""

    location: StorageLocationBody
    replaced_catalog_id: UUID | None = None
    replaced_location_id: UUID | None = None
    replaced_made_at: datetime | None = None


class StorageAnswered(Outgoing, kw_only=True):
    """So many bytes were written, read back, found the same, and removed."""

    ok: Literal[True] = True
    bytes: int
    seconds: float


class StorageNotUsable(Outgoing, kw_only=True):
    """The storage can't be used; ``error_kind`` is a word, ``detail`` a sentence."""

    ok: Literal[False] = False
    error_kind: str
    detail: str


def location_bodies(service: Service, session: Session) -> Callable[[StorageLocation], StorageLocationBody]:
    """What shows a row with what is to be known of its place, and with its conflicts."""
    found = recent_conflicts(session, service.now())

    def body(location: StorageLocation) -> StorageLocationBody:
        posix = location.type == StorageType.POSIX
        notice = service.storage_roots.notice(location.base_path) if posix and not location.is_deleted else None
        conflicts = found[location.id].sentence() if location.id in found else None
        return shown(location, StorageLocationBody, notice=notice, journal_conflicts=conflicts)

    return body


@post("/{location_id:uuid}/test", sync_to_thread=True, status_code=200, summary="Test a storage location")
def test_storage_location(service: TheService, location_id: FromPath[UUID]) -> StorageAnswered | StorageNotUsable:
    """Write a probe, read it back and remove it, and return the result."""
    location = service.read(storage_location_by_id, location_id)
    opener = storage_opener(service.sealer, service.storage_roots)
    answer = try_storage(lambda: open_marked(service.sessions, opener, location, to_write=True))
    return shown(answer, StorageAnswered) if isinstance(answer, StorageAnswer) else shown(answer, StorageNotUsable)


@post(
    "/{location_id:uuid}/adopt", sync_to_thread=True, status_code=200, summary="Adopt the place of a storage location"
)
def take_over_place(service: TheService, location_id: FromPath[UUID]) -> AdoptedPlace:
    """Mark the location's place as its own, whatever mark is there now.

    Whichever catalog or storage location had marked it is refused there from then on.
    """
    with service.sessions.begin() as session:
        replaced = adopt_storage_location(session, service.sealer, location_id, service.storage_roots)
        body = location_bodies(service, session)(storage_location_by_id(session, location_id))
    if not isinstance(replaced, Mark):
        return AdoptedPlace(location=body)
    return AdoptedPlace(
        location=body,
        replaced_catalog_id=replaced.catalog_id,
        replaced_location_id=replaced.location_id,
        replaced_made_at=replaced.made_at,
    )


storage_locations_router = resource_router(
    "/api/storage-locations",
    "Storage locations",
    Resource(
        name="storage location",
        parameter="location_id",
        new=NewStorageLocation,
        changes=StorageLocationChanges,
        body=StorageLocationBody,
        body_maker=location_bodies,
        table=StorageLocation,
        create=lambda service, session, values: create_storage_location(
            session, service.sealer, values, service.storage_roots
        ),
        update=lambda service, session, location_id, changes: update_storage_location(
            session, service.sealer, location_id, changes, service.storage_roots
        ),
        delete=delete_storage_location,
        restore=lambda service, session, location_id: restore_storage_location(
            session, service.sealer, location_id, service.storage_roots
        ),
        creation="A new storage location; it must be writable, and a posix one must lie in a storage root of the host.",
        deletion="Delete a storage location that is not in use; its folder stays, and it can be restored.",
    ),
    test_storage_location,
    take_over_place,
)
