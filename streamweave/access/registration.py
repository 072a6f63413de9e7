"""Self-registration, where it is open, and the verification of e-mail addresses.

It doesn't reveal which addresses have an account: known and unknown ones get the same response after the same work.
Where mails are sent, the owner of the address is notified, and a new account opens once its address is verified, so
that an attempt to log in reveals nothing either. An address is verified by a token that is mailed to it.
"""

from dataclasses import replace

from sqlalchemy.exc import IntegrityError

from streamweave.access.grants import NamedGrantee, apply_pending_grants, lock_names
from streamweave.access.login import LoginLimits, counted_request
from streamweave.access.password_changes import LIFETIMES, issue_mailed_token, redeem_mailed_token
from streamweave.access.passwords import hash_password
from streamweave.access.users import email_address, password, password_for, user_by_email
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import GranteeType, MailPurpose, Role, User
from streamweave.catalog.tables.base import uuid7
from streamweave.errors import TooManyAttempts
from streamweave.mail import Mailer

VERIFICATION_MAIL = """\
Someone, hopefully you, says that {email} is their address.

Within {hours} hours, this confirms it:

curl {public_url}/auth/verify --json '{{"token": "{token}"}}'

If it wasn't you, do nothing.
"""

NOTICE_MAIL = """\
Someone, hopefully you, wanted to register {email} at {public_url}.

You have an account there already, and nothing has changed. If you forgot its password, this sends you a new mail:

curl {public_url}/auth/forgot-password --json '{{"email": "{email}"}}'

If it wasn't you, do nothing.
"""


def mail_verification(sessions: Sessions, mailer: Mailer, public_url: str, email: str) -> None:
    """Mail the user with that address a token, unless they are verified already. Unknown addresses are ignored."""
    with sessions.begin() as session:
        user = user_by_email(session, email)
        wanted = user is not None and user.is_active and not user.is_verified
        token = issue_mailed_token(session, user, MailPurpose.VERIFY) if user and wanted else None
    if user is not None and token is not None:
        hours = int(LIFETIMES[MailPurpose.VERIFY].total_seconds() // 3600)
        text = VERIFICATION_MAIL.format(email=user.email, hours=hours, public_url=public_url.rstrip("/"), token=token)
        mailer.send(user.email, "Is this your address?", text)


def verify(sessions: Sessions, token: str) -> User:
    """The user, whose address is verified now. Raises ``NotAuthenticated`` for a token that doesn't count."""
    with sessions.begin() as session:
        lock_names(session)
        user = redeem_mailed_token(session, token, MailPurpose.VERIFY)
        user.is_verified, user.awaits_verification = True, False
        session.flush()
        apply_pending_grants(session, NamedGrantee(GranteeType.USER, user.email))
    return user


def register_oneself(
    sessions: Sessions, limits: LoginLimits, address: str, email: str, new_password: str, *, by_mail: bool
) -> tuple[User, bool]:
    """The user whom the answer shows, and whether the address is to be sent a mail (``mail_registered``).

    For an address that has an account already, that user exists nowhere. With ``by_mail`` a new account can't be logged
    in to before it is verified. That they asked from the network address ``address`` counts, whatever comes of it.
    Raises ``InvalidInput``, ``TooManyAttempts`` or ``TooBusy``.
    """
    password_for(email_address("email", email), "password", password("password", new_password))
    with counted_request(sessions, limits, "registration", address):
        new_hash = hash_password(new_password)
    user = User(
        id=uuid7(),
        email=email,
        password_hash=new_hash,
        role=Role.USER,
        is_active=True,
        is_verified=False,
        awaits_verification=by_mail,
    )
    is_new = _added(sessions, user)
    return user, (is_new or _may_be_noticed(sessions, limits, address, email)) and by_mail


def mail_registered(sessions: Sessions, mailer: Mailer, public_url: str, email: str) -> None:
    """Mail the owner of the address the token that opens the new account, or a notice that they have one already."""
    with sessions() as session:
        user = user_by_email(session, email)
    if user is not None and user.awaits_verification:
        mail_verification(sessions, mailer, public_url, email)
    elif user is not None and user.is_active:
        text = NOTICE_MAIL.format(email=user.email, public_url=public_url.rstrip("/"))
        mailer.send(user.email, "You have an account at StreamWeave", text)


def _added(sessions: Sessions, user: User) -> bool:
    """Whether the address was free."""
    try:
        with sessions.begin() as session:
            if user_by_email(session, user.email) is not None:
                return False
            session.add(user)
    except IntegrityError:  # another request was faster
        return False
    return True


def _may_be_noticed(sessions: Sessions, limits: LoginLimits, address: str, email: str) -> bool:
    """Whether a notice may be sent: a mailbox must not be filled by strangers. It writes, as creating a user does."""
    try:
        with counted_request(sessions, replace(limits, attempts=1), "registration notice", address, email):
            return True
    except TooManyAttempts:
        return False
