"""Registering, logging in, and who one is."""

from litestar import Router, get, post
from litestar.exceptions import ClientException
from litestar.params import JSONBody, URLEncodedBody

from streamweave.errors import Conflict, NotAuthenticated
from streamweave.identity.tokens import issue_token
from streamweave.identity.users import authenticate, register
from streamweave_api.auth import OPEN_TO_ALL, Viewer
from streamweave_api.service import TheService
from streamweave_api.users.schemas import Login, Registration, Token, UserBody, user_body


@post("/auth/register", sync_to_thread=True, opt=OPEN_TO_ALL)
def register_user(service: TheService, data: JSONBody[Registration]) -> UserBody:
    """A new user, who sees nothing until something is granted."""
    try:
        with service.sessions.begin() as session:
            return user_body(register(session, data.email, data.password))
    except Conflict as error:
        raise ClientException("REGISTER_USER_ALREADY_EXISTS") from error


@post("/auth/jwt/login", sync_to_thread=True, opt=OPEN_TO_ALL, status_code=200)
def log_in(service: TheService, data: URLEncodedBody[Login]) -> Token:
    """A token for an e-mail address (``username``) and a password."""
    try:
        with service.sessions() as session:
            user = authenticate(session, data.username, data.password)
    except NotAuthenticated as error:
        raise ClientException("LOGIN_BAD_CREDENTIALS") from error
    return Token(access_token=issue_token(user.id, service.secret_key, service.token_lifetime_seconds))


@get("/users/me", sync_to_thread=False)
def who_am_i(viewer: Viewer) -> UserBody:
    """Who the token belongs to."""
    return user_body(viewer)


users_router = Router("/", route_handlers=[register_user, log_in, who_am_i], tags=["Users"])
