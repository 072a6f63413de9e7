"""The bodies of logins."""

import msgspec

from streamweave_api.bodies import Outgoing


class Login(msgspec.Struct):
    """The form of an OAuth 2 password grant (RFC 6749, section 4.3.2); its other fields don't matter here."""

    username: str
    password: str


class Token(Outgoing):
    """What to send as ``Authorization: Bearer …``."""

    access_token: str
    token_type: str = "bearer"
