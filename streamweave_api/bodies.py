"""Bodies of requests and responses, and how rows become bodies."""

from typing import Any, TypeVar

import msgspec
from litestar.connection import ASGIConnection
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import BodyKwarg

Body = TypeVar("Body", bound=msgspec.Struct)


class Incoming(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A body that comes in. Fields that may be left out are ``UNSET``, which is not null."""


class Outgoing(msgspec.Struct, kw_only=True):
    """A body that goes out."""


def body_is_understood(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of bodies: a type that isn't the expected one is 415, not guessed at (RFC 9110, section 15.5.16)."""
    body = getattr(handler, "parsed_data_field", None)
    if body is not None and isinstance(body.kwarg_definition, BodyKwarg):
        expected = RequestEncodingType(body.kwarg_definition.media_type).value
        shown, _, _ = connection.headers.get("Content-Type", "").partition(";")
        if shown.strip().lower() != expected:
            raise HTTPException(status_code=415, detail=f"The body must be {expected}")


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that were given, by name; of a body in the body likewise."""
    fields = {field: getattr(body, field) for field in body.__struct_fields__}
    return {
        field: given(value) if isinstance(value, msgspec.Struct) else value
        for field, value in fields.items()
        if value is not msgspec.UNSET
    }


def shown(row: Any, body: type[Body], **computed: Any) -> Body:
    """The row's attributes that ``body`` has fields for; ``computed`` ones take the place of attributes."""
    if not computed:
        return msgspec.convert(row, body, from_attributes=True)
    values = {
        field.encode_name: computed[field.name] if field.name in computed else getattr(row, field.name)
        for field in msgspec.structs.fields(body)
    }
    return msgspec.convert(values, body)
