"""What the resolver answers about what was withdrawn."""

from streamweave_api.openapi.errors import ErrorBody


class WithdrawnBody(ErrorBody, kw_only=True):
    """The tombstone of what was withdrawn: who, what, when, where, since when it is withdrawn, and why."""

    tombstone: dict[str, str]
