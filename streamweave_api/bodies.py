"""Between rows and bodies.

What comes in may hold no field that we don't know; what goes out is named field by field.
"""

from typing import Any, TypeVar

import msgspec

Body = TypeVar("Body")


class Incoming(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A body that comes in. Fields that may be left out are ``UNSET``, which is not null."""


class Outgoing(msgspec.Struct, kw_only=True):
    """A body that goes out."""


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that were given, by name."""
    fields = ((field, getattr(body, field)) for field in body.__struct_fields__)
    return {field: value for field, value in fields if value is not msgspec.UNSET}


def shown(row: Any, body: type[Body]) -> Body:
    """The row's attributes that ``body`` has fields for."""
    return msgspec.convert(row, body, from_attributes=True)
