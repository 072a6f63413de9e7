"""The bodies of changed and forgotten passwords, and of verified addresses."""

from streamweave_api.bodies import Incoming, Outgoing


class PasswordChange(Incoming):
    """The present password, and the one to be."""

    old_password: str
    new_password: str


class MailWanted(Incoming):
    """Whom to send a mail."""

    email: str


class MailPromised(Outgoing):
    """The same answer for everybody."""

    detail: str = "If it is a user's address, a mail is on its way"


class PasswordReset(Incoming):
    """The token from a mail, and the password to be."""

    token: str
    password: str


class Verification(Incoming):
    """The token from a mail."""

    token: str
