"""What users do with their own accounts: register, verify an address, and change or reset a password.

Registration, where it is open, doesn't reveal which addresses have an account: known and unknown ones get the same
response after the same work. Where mails are sent, the owner of the address is notified, and a new account opens once
its address is verified, so that an attempt to log in reveals nothing either.

A mailed token works once, for one purpose, and for a short time. A new password ends all earlier tokens. Functions that
take a session leave the commit to the caller.
"""

import uuid
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import ColumnElement, Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from streamweave.access.grants import NamedGrantee, apply_pending_grants, lock_names
from streamweave.access.login import Attempt, LoginLimits, counted_request, forgive_attempt, log_in
from streamweave.access.passwords import hash_password
from streamweave.access.tokens import end_all_tokens, random_token, token_digest
from streamweave.access.users import email_address, password, password_for, user_by_email, user_by_id
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import GranteeType, MailedToken, MailPurpose, Role, User
from streamweave.catalog.tables.base import uuid7
from streamweave.errors import InvalidInput, NotAuthenticated, TooManyAttempts
from streamweave.mail import Mailer

LIFETIMES = {MailPurpose.RESET_PASSWORD: timedelta(hours=1), MailPurpose.VERIFY: timedelta(days=1)}
# a stranger must not be able to fill a user's mailbox
MAIL_AT_MOST_EVERY = timedelta(minutes=1)

RESET = "password reset"
RESET_MAIL = """\
Someone, hopefully you, wants to set a new password for {email}.

Within {minutes} minutes, this sets it (choose the password yourself):

curl {public_url}/auth/reset-password --json '{{"token": "{token}", "password": "…"}}'

If it wasn't you, do nothing: your password stays as it is.
"""
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


def issue_mailed_token(session: Session, user: User, purpose: MailPurpose) -> str | None:
    """A token to mail to the user, in place of the one before; None when that was issued only just now."""
    token, now = random_token(), func.now()
    fresh = insert(MailedToken).values(
        user_id=user.id,
        purpose=purpose,
        token_digest=token_digest(token),
        email=user.email,
        created_at=now,
        expires_at=now + LIFETIMES[purpose],
    )
    issued = fresh.on_conflict_do_update(
        index_elements=[MailedToken.user_id, MailedToken.purpose],
        set_={column: fresh.excluded[column] for column in ("token_digest", "email", "created_at", "expires_at")},
        where=MailedToken.created_at < now - MAIL_AT_MOST_EVERY,
    )
    return token if session.scalar(issued.returning(MailedToken.user_id)) is not None else None


def receiver_of(session: Session, token: str, purpose: MailPurpose) -> User:
    """The active user whom a token that counts was sent to; it stays as it is. Raises ``NotAuthenticated``."""
    counting = select(MailedToken.user_id, MailedToken.email).where(*_counts(token, purpose))
    return _receiver(session, session.execute(counting).one_or_none())


def redeem_mailed_token(session: Session, token: str, purpose: MailPurpose) -> User:
    """Use the token up: its active user, locked until the transaction ends. Raises ``NotAuthenticated``."""
    used = delete(MailedToken).where(*_counts(token, purpose)).returning(MailedToken.user_id, MailedToken.email)
    return _receiver(session, session.execute(used).one_or_none(), for_update=True)


def _counts(token: str, purpose: MailPurpose) -> tuple[ColumnElement[bool], ...]:
    return (
        MailedToken.token_digest == token_digest(token),
        MailedToken.purpose == purpose,
        MailedToken.expires_at > func.now(),
    )


def _receiver(session: Session, found: Row[tuple[uuid.UUID, str]] | None, *, for_update: bool = False) -> User:
    user = session.get(User, found.user_id, with_for_update=for_update) if found else None
    if found is None or user is None or not user.is_active or user.email != found.email:
        raise NotAuthenticated("the token is not ours, or was used already, or has expired")
    return user


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
    """Mail the user with that address a token that sets a new password. Unknown addresses are ignored."""
    with sessions.begin() as session:
        user = user_by_email(session, email)
        token = issue_mailed_token(session, user, MailPurpose.RESET_PASSWORD) if user and user.is_active else None
    if user is not None and token is not None:
        minutes = LIFETIMES[MailPurpose.RESET_PASSWORD] // timedelta(minutes=1)
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


def mail_verification(sessions: Sessions, mailer: Mailer, public_url: str, email: str) -> None:
    """Mail the user with that address a token, unless they are verified already. Unknown addresses are ignored."""
    with sessions.begin() as session:
        user = user_by_email(session, email)
        wanted = user is not None and user.is_active and not user.is_verified
        token = issue_mailed_token(session, user, MailPurpose.VERIFY) if user and wanted else None
    if user is not None and token is not None:
        hours = LIFETIMES[MailPurpose.VERIFY] // timedelta(hours=1)
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
