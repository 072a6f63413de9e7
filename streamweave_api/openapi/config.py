"""How the document and its page are made."""

from importlib.metadata import version

from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, OpenAPI

from streamweave_api.openapi.document import Document
from streamweave_api.openapi.security import SCHEMES
from streamweave_api.openapi.swagger import SwaggerPage, schema_router
from streamweave_api.openapi.tags import TAGS

DESCRIPTION = """\
Finds every new file of a facility's instruments, proves its copy, and lets the right people find and fetch it.

- Lists are JSON arrays in pages: `limit` entries, and `Link: <…>; rel="next"` to the next page.
- Every error is `{"detail": "…"}`, a sentence for a person.
- What one may not see is 404, and is absent from every list, count and search.
- Times are in UTC, sizes in bytes. A field that is left out of a change stays as it is.
"""


class DocumentConfig(OpenAPIConfig):
    """The document, made by Litestar and completed by us."""

    def to_openapi_schema(self) -> OpenAPI:
        """The document without its paths, which Litestar fills in."""
        made = super().to_openapi_schema()
        return Document(info=made.info, servers=made.servers, components=made.components, tags=made.tags, paths={})


def openapi_config() -> OpenAPIConfig:
    """What the application is given."""
    return DocumentConfig(
        title="StreamWeave",
        version=version("streamweave"),
        description=DESCRIPTION,
        tags=TAGS,
        use_handler_docstrings=True,
        openapi_router=schema_router(),
        render_plugins=[SwaggerPage()],
        components=Components(security_schemes=dict(SCHEMES)),
    )
