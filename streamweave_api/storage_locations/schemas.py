"""The bodies of storage locations."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar.params import Parameter
from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing, given


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


def values_of(body: StorageLocationChanges) -> dict[str, Any]:
    """The fields that were given, by name."""
    fields = given(body)
    if isinstance(config := fields.get("connection_config"), ConnectionConfig):
        fields["connection_config"] = given(config)
    return fields


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
    """A location whose place was taken over, and whose mark stood there before; null where no mark said so."""

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
