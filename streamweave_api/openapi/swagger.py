"""Swagger UI, from files of our own: the page requests nothing from other hosts, and isn't allowed to."""

import mimetypes
from importlib.resources import files

from litestar import MediaType, Router, get
from litestar.datastructures import CacheControlHeader, ResponseHeader
from litestar.exceptions import NotFoundException
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.params import FromPath
from litestar.response import File, Redirect
from swagger_ui_bundle import swagger_ui_path

from streamweave_api.auth import OPEN_TO_ALL

SCHEMA_PATH = "/schema"
OURS = files(__package__).joinpath("page")
ASSETS = {
    "swagger-ui.css": swagger_ui_path,
    "swagger-ui-bundle.js": swagger_ui_path,
    "favicon-32x32.png": swagger_ui_path,
    "start.js": OURS,
}
# Swagger UI generates styles and small pictures inline; all else comes from here
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
A_DAY = 86_400


class SwaggerPage(OpenAPIRenderPlugin):
    """The page at ``/schema`` and ``/schema/swagger``."""

    def __init__(self) -> None:
        super().__init__(path=["/", "/swagger"], media_type=MediaType.HTML)
        self._page = OURS.joinpath("index.html").read_bytes()

    def render(self, *_: object) -> bytes:
        return self._page


@get("/assets/{name:str}", sync_to_thread=False, cache_control=CacheControlHeader(public=True, max_age=A_DAY))
def show_asset(name: FromPath[str]) -> File:
    """A file that the page is made of."""
    if name not in ASSETS:
        raise NotFoundException
    kind = mimetypes.guess_type(name)[0]
    return File(str(ASSETS[name].joinpath(name)), filename=name, media_type=kind, content_disposition_type="inline")


@get("/", sync_to_thread=False, opt=OPEN_TO_ALL, include_in_schema=False)
def front_door() -> Redirect:
    """A person who comes without a path wants to know what there is."""
    return Redirect(SCHEMA_PATH)


def schema_router() -> Router:
    """The document, the page, and what it is made of."""
    policy = ResponseHeader(name="Content-Security-Policy", value=POLICY)
    return Router(SCHEMA_PATH, route_handlers=[show_asset], include_in_schema=False, response_headers=[policy])
