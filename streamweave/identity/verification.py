"""Whether an e-mail address is its user's own: they are sent a token, and send it back."""

from streamweave.access.assignment import apply_pending_grants
from streamweave.access.grantees import NamedGrantee, lock_names
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import GranteeType, MailPurpose, User
from streamweave.identity.mailed_tokens import LIFETIMES, issue_mailed_token, redeem_mailed_token
from streamweave.identity.users import user_by_email
from streamweave.mail import Mailer

VERIFICATION_MAIL = """\
Somebody, hopefully you, says that {email} is their address.

Within {hours} hours, this confirms it:

curl {public_url}/auth/verify --json '{{"token": "{token}"}}'

If it wasn't you, do nothing.
"""


def mail_verification(sessions: Sessions, mailer: Mailer, public_url: str, email: str) -> None:
    """Send the user with that address a token, unless they are verified already. A stranger's is passed over."""
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
