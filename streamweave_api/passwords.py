"""Changed and forgotten passwords, and verified addresses."""

from collections.abc import Callable

from litestar import Response, Router, post
from litestar.exceptions import ClientException
from litestar.params import JSONBody

from streamweave.access.accounts import change_password, mail_password_reset, mail_verification, reset_password, verify
from streamweave.access.login import counted_request
from streamweave.catalog.session import Sessions
from streamweave.errors import NotAuthenticated
from streamweave.mail import Mailer
from streamweave_api.auth import OPEN_TO_ALL, ClientAddress, Viewer, login_only
from streamweave_api.bodies import Incoming, Outgoing
from streamweave_api.openapi.answers import errors
from streamweave_api.service import Service, TheService, apart_for_passwords, mailed
from streamweave_api.users import UserBody, user_body


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


@post(
    "/users/me/password",
    status_code=204,
    guards=[login_only],
    responses=errors(429),
    summary="Change one's own password",
)
async def change_own_password(
    service: TheService, viewer: Viewer, data: JSONBody[PasswordChange], client_address: ClientAddress
) -> None:
    """Ends all of one's tokens, the one that is shown included: log in anew."""
    await apart_for_passwords(
        change_password,
        service.sessions,
        service.login_limits,
        viewer,
        client_address,
        data.old_password,
        data.new_password,
    )


@post(
    "/auth/forgot-password", opt=OPEN_TO_ALL, status_code=202, responses=errors(429), summary="Request a password reset"
)
async def forgot_password(
    service: TheService, data: JSONBody[MailWanted], client_address: ClientAddress
) -> Response[MailPromised]:
    """If a user has that address, they are sent a token that sets a new password. The answer doesn't reveal it."""
    return await _mail_promised(service, mail_password_reset, data.email, client_address)


@post("/auth/reset-password", opt=OPEN_TO_ALL, status_code=204, responses=errors(429), summary="Set a new password")
async def reset_forgotten_password(
    service: TheService, data: JSONBody[PasswordReset], client_address: ClientAddress
) -> None:
    """Set a new password with the token from the mail, which works once. Ends all of the user's tokens."""
    try:
        await apart_for_passwords(
            reset_password, service.sessions, service.login_limits, data.token, client_address, data.password
        )
    except NotAuthenticated as error:
        raise ClientException("RESET_PASSWORD_BAD_TOKEN") from error


@post(
    "/auth/request-verify-token",
    opt=OPEN_TO_ALL,
    status_code=202,
    responses=errors(429),
    summary="Request a mail that verifies one's address",
)
async def request_verify_token(
    service: TheService, data: JSONBody[MailWanted], client_address: ClientAddress
) -> Response[MailPromised]:
    """If a user with that address isn't verified yet, they are sent a token. The answer doesn't reveal it."""
    return await _mail_promised(service, mail_verification, data.email, client_address)


@post("/auth/verify", opt=OPEN_TO_ALL, status_code=200, summary="Verify one's address")
async def verify_address(service: TheService, data: JSONBody[Verification]) -> UserBody:
    """Prove with the token from the mail, which works once, that the address is one's own."""
    try:
        return user_body(await apart_for_passwords(verify, service.sessions, data.token))
    except NotAuthenticated as error:
        raise ClientException("VERIFY_USER_BAD_TOKEN") from error


async def _mail_promised(
    service: Service, mail: Callable[[Sessions, Mailer, str, str], None], email: str, client_address: str
) -> Response[MailPromised]:
    await apart_for_passwords(_count_mail, service, client_address)
    return Response(MailPromised(), status_code=202, background=mailed(service, mail, email))


def _count_mail(service: Service, client_address: str) -> None:
    with counted_request(service.sessions, service.login_limits, "mail", client_address):
        pass


passwords_router = Router(
    "/",
    route_handlers=[
        change_own_password,
        forgot_password,
        reset_forgotten_password,
        request_verify_token,
        verify_address,
    ],
    tags=["Passwords"],
)
