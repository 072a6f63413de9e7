"""The document as it is served: Litestar's, completed."""

from collections.abc import Iterator
from typing import Any

from litestar.openapi.spec import OpenAPI
from msgspec import Struct

from streamweave_api.bodies import Incoming, Outgoing
from streamweave_api.logins.schemas import Login
from streamweave_api.openapi.bodies import with_descriptions, with_rules
from streamweave_api.openapi.examples import with_examples
from streamweave_api.openapi.headers import headers_of
from streamweave_api.openapi.parameters import described

Part = dict[str, Any]

RECORD, LINKED_DATA = "text/plain", "application/ld+json"


class Document(OpenAPI):
    """Litestar's document, which completes itself when it is written down."""

    def to_schema(self) -> Part:
        """The whole document."""
        return completed(super().to_schema())


def completed(document: Part) -> Part:
    """The document with what fields take, examples, headers, and descriptions."""
    paths = {
        path: {method: _operation(path, operation) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    schemas = with_descriptions(with_rules(document["components"]["schemas"]), _bodies())
    return {**document, "paths": paths, "components": {**document["components"], "schemas": schemas}}


def _operation(path: str, operation: Part) -> Part:
    done = dict(operation)
    if "parameters" in done:
        done["parameters"] = [described(parameter) for parameter in done["parameters"]]
    if "requestBody" in done:
        done["requestBody"] = {**done["requestBody"], "content": _content(done["requestBody"]["content"])}
    done["responses"] = {
        status: _response(path, operation, status, response) for status, response in done["responses"].items()
    }
    return done


def _response(path: str, operation: Part, status: str, response: Part) -> Part:
    headers = {**response.get("headers", {}), **headers_of(path, operation, status)}
    content = {"content": _content(response["content"])} if "content" in response else {}
    return {**response, "headers": headers, **content}


def _content(content: Part) -> Part:
    if RECORD in content:
        content = {**content, LINKED_DATA: {"schema": {"type": "object"}}}  # what the resolver offers beside it
    return {media_type: with_examples(media_type, each) for media_type, each in content.items()}


def _bodies() -> Iterator[type[Struct]]:
    """Every body that goes in or out."""
    yield Login
    for kind in (Incoming, Outgoing):
        yield from _below(kind)


def _below(kind: type[Struct]) -> Iterator[type[Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
