"""A new password: for who knows the old one, or receives the account's mail. Either ends all earlier tokens."""

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import MailPurpose, User
from streamweave.errors import InvalidInput, NotAuthenticated
from streamweave.identity.ending import end_all_tokens
from streamweave.identity.fields import password, password_for
from streamweave.identity.login import log_in
from streamweave.identity.login_limits import Attempt, LoginLimits, counted_request, forgive_attempt
from streamweave.identity.mailed_tokens import LIFETIMES, issue_mailed_token, receiver_of, redeem_mailed_token
from streamweave.identity.passwords import hash_password
from streamweave.identity.users import user_by_email, user_by_id
from streamweave.mail import Mailer

RESET = "password reset"

RESET_MAIL = """\
Somebody, hopefully you, wants to set a new password for {email}.

Within {minutes} minutes, this sets it (choose the password yourself):

curl {public_url}/auth/reset-password --json '{{"token": "{token}", "password": "…"}}'

If it wasn't you, do nothing: your password stays as it is.
"""


def change_password(
    sessions: Sessions, limits: LoginLimits, user: User, address: str, old_password: str, new_password: str
) -> None:
    """Give the user a new password.

    Raises ``InvalidInput``, or ``TooManyAttempts`` and ``TooBusy`` like a login from ``address``.
    """
    password_for(user.email, "new_password", password("new_password", new_password))
    try:
        log_in(sessions, limits, Attempt(user.email, address), old_password)
    except NotAuthenticated as error:
        raise InvalidInput("old_password", "is not the present password") from error
    new_hash = hash_password(new_password)
    with sessions.begin() as session:
        present = user_by_id(session, user.id)
        present.password_hash = new_hash
        end_all_tokens(session, present)


def mail_password_reset(sessions: Sessions, mailer: Mailer, public_url: str, email: str) -> None:
    """Send the user with that address what sets a new password. A stranger's address is passed over."""
    with sessions.begin() as session:
        user = user_by_email(session, email)
        token = issue_mailed_token(session, user, MailPurpose.RESET_PASSWORD) if user and user.is_active else None
    if user is not None and token is not None:
        minutes = int(LIFETIMES[MailPurpose.RESET_PASSWORD].total_seconds() // 60)
        text = RESET_MAIL.format(email=user.email, minutes=minutes, public_url=public_url.rstrip("/"), token=token)
        mailer.send(user.email, "A new password for StreamWeave", text)


def reset_password(sessions: Sessions, limits: LoginLimits, token: str, address: str, new_password: str) -> None:
    """Set the password that a mailed token allows to set; locks on the account don't concern ``address`` any more.

    Only for a token that counts is a password hashed. Raises ``NotAuthenticated`` for any other; ``InvalidInput``,
    ``TooManyAttempts`` and ``TooBusy`` leave the token as it was.
    """
    password("password", new_password)
    with counted_request(sessions, limits, RESET, address):
        with sessions() as session:
            email = receiver_of(session, token, MailPurpose.RESET_PASSWORD).email
        password_for(email, "password", new_password)
        with counted_request(sessions, limits, RESET, address, email):
            new_hash = hash_password(new_password)
    with sessions.begin() as session:
        user = redeem_mailed_token(session, token, MailPurpose.RESET_PASSWORD)
        user.password_hash, user.awaits_verification = new_hash, False
        end_all_tokens(session, user)
        forgive_attempt(session, Attempt(user.email, address))
