"""Registering, and who one is."""

from litestar import Response, Router, get, post
from litestar.params import JSONBody

from streamweave.access.registration import mail_registered, register_oneself
from streamweave.errors import NotAllowed
from streamweave_api.auth import OPEN_TO_ALL, Viewer
from streamweave_api.client_address import ClientAddress
from streamweave_api.mailing import mailed
from streamweave_api.openapi.errors import errors
from streamweave_api.service import TheService
from streamweave_api.threads import apart_for_passwords
from streamweave_api.users.schemas import Registration, UserBody, user_body


@post("/auth/register", opt=OPEN_TO_ALL, responses=errors(403, 429), summary="Register as a user")
async def register_user(
    service: TheService, data: JSONBody[Registration], client_address: ClientAddress
) -> Response[UserBody]:
    """A new user, who sees nothing until something is granted. Where registration is closed, admins make users.

    An address that has an account gets the same answer, and nothing changes. Where mails are sent, its owner is told,
    and a new account can be used once its address is verified with the mail that was sent to it.
    """
    if not service.registration_open:
        raise NotAllowed("Registration is closed: ask an admin for an account")
    by_mail = bool(service.mailer.host)
    user, is_told = await apart_for_passwords(
        register_oneself,
        service.sessions,
        service.login_limits,
        client_address,
        data.email,
        data.password,
        by_mail=by_mail,
    )
    return Response(user_body(user), background=mailed(service, mail_registered, data.email) if is_told else None)


@get("/users/me", sync_to_thread=False, summary="Who am I?")
def who_am_i(viewer: Viewer) -> UserBody:
    """Who the token or cookie belongs to."""
    return user_body(viewer)


users_router = Router("/", route_handlers=[register_user, who_am_i], tags=["Users"])
