"""The whole document: valid, complete, and with examples that are what they are examples of."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from streamweave_api.openapi.answers import NOUNS
from streamweave_api.openapi.document import DESCRIPTIONS, RULES, examples

Part = dict[str, Any]

WITHOUT_LOGIN = {
    "/health",
    "/api/certificates/key",
    "/auth/jwt/login",
    "/auth/cookie/login",
    "/auth/register",
    "/auth/verify",
} | {f"/auth/{path}" for path in ("forgot-password", "reset-password", "request-verify-token")}


def operations(document: Part) -> Iterator[tuple[str, Part]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(document: Part) -> Iterator[tuple[str, str, Part]]:
    """Every body that goes in or out: where, of which media type, and what is said of it."""
    for where, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield where, media_type, content
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                yield f"{where} {status}", media_type, content


def test_it_is_valid_openapi(document: Part) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})


def test_every_operation_says_what_it_does_under_a_tag_that_is_explained(document: Part) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    summaries = set()
    for where, operation in operations(document):
        assert " " in operation["summary"], where
        assert operation["description"].strip(), where
        assert len(operation["tags"]) == 1, where
        assert tags[operation["tags"][0]], where
        summaries.add((operation["summary"], where.split()[0]))
    assert {operation["tags"][0] for _, operation in operations(document)} == set(tags)
    assert len(summaries) == len(list(operations(document))), "two operations have the same summary"


def test_every_parameter_and_header_is_explained(document: Part) -> None:
    for where, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], f"{where} {parameter['name']}"
        for status, response in operation["responses"].items():
            assert response["description"], f"{where} {status}"
            for name, header in response["headers"].items():
                assert header["description"], f"{where} {status} {name}"


def test_nothing_is_explained_that_is_not_there(document: Part) -> None:
    names = {each["name"] for _, operation in operations(document) for each in operation.get("parameters", [])}
    assert (DESCRIPTIONS.keys() | NOUNS.keys()) <= names
    schemas = document["components"]["schemas"]
    assert examples().keys() <= schemas.keys()
    assert RULES.keys() <= schemas.keys()


def test_every_body_has_examples_that_are_valid(document: Part) -> None:
    components = {"components": document["components"]}
    seen = 0
    for where, media_type, content in contents(document):
        validator = jsonschema_rs.Draft202012Validator({**components, **content["schema"]}, validate_formats=True)
        assert content["examples"], where
        for example in content["examples"].values():
            faults = [error.message for error in validator.iter_errors(example["value"])]
            assert faults == [], f"{where} {media_type}: {faults}"
            seen += 1
    assert seen > len(list(operations(document)))


def test_every_error_is_a_sentence_with_an_example(document: Part) -> None:
    for where, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                (content,) = response["content"].values()
                for example in content["examples"].values():
                    assert example["value"]["detail"], f"{where} {status}"


def test_every_operation_names_the_errors_of_its_kind(document: Part) -> None:
    for where, operation in operations(document):
        method, path = where.split(maxsplit=1)
        statuses = {status for status in operation["responses"] if int(status) >= 400}
        expected = {"400", "422", "503"}
        expected |= set() if path in WITHOUT_LOGIN else {"401", "403"}
        expected |= {"404"} if "{" in path else set()
        expected |= {"409", "413"} if method in ("POST", "PATCH", "DELETE") else set()
        assert expected <= statuses, where


def test_it_says_which_credentials_each_operation_takes(document: Part) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {(name, scheme["type"]) for name, scheme in schemes.items()} == {
        ("login", "http"),
        ("api_token", "http"),
        ("cookie", "apiKey"),
        ("csrf", "apiKey"),
    }
    for where, operation in operations(document):
        method, path = where.split(maxsplit=1)
        known = [set(each) for each in operation["security"]]
        if path in WITHOUT_LOGIN:
            assert known == [set()], where
            continue
        assert {"login"} in known, where
        assert ({"cookie", "csrf"} if method in ("POST", "PATCH", "DELETE") else {"cookie"}) in known, where
        assert (set() in known) == path.startswith("/ark:"), where


@pytest.mark.parametrize(
    ("path", "method", "status", "names"),
    [
        ("/api/files", "get", "200", {"Link", "X-Total-Count"}),
        ("/api/groups", "get", "200", {"Link"}),
        ("/api/files/{file_id}/content", "get", "206", {"Content-Range", "ETag", "Repr-Digest", "Accept-Ranges"}),
        ("/api/files/{file_id}/content", "get", "304", {"ETag"}),
        ("/api/files/{file_id}/versions/{number}/content", "head", "416", {"Content-Range"}),
        ("/api/files/archive", "post", "200", {"Content-Length", "Content-Disposition"}),
        ("/ark:/{name}", "get", "303", {"Location", "Link", "Vary"}),
        ("/auth/cookie/login", "post", "204", {"Set-Cookie"}),
        ("/auth/jwt/login", "post", "429", {"Retry-After"}),
        ("/auth/reset-password", "post", "429", {"Retry-After"}),
        ("/auth/reset-password", "post", "503", {"Retry-After"}),
        ("/users/me", "get", "401", {"WWW-Authenticate"}),
    ],
)
def test_headers_of_answers_are_in_it(document: Part, path: str, method: str, status: str, names: set[str]) -> None:
    assert names <= document["paths"][path][method]["responses"][status]["headers"].keys()


def test_headers_of_requests_are_in_it(document: Part) -> None:
    parameters = document["paths"]["/api/files/{file_id}/content"]["get"]["parameters"]
    headers = {parameter["name"] for parameter in parameters if parameter["in"] == "header"}
    assert headers == {"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}
    resolver = document["paths"]["/ark:/{name}"]["get"]
    assert "info" in {parameter["name"] for parameter in resolver["parameters"]}
    assert resolver["responses"]["200"]["content"].keys() == {"text/plain", "application/ld+json"}


def test_fields_take_what_the_rules_of_the_core_say(document: Part) -> None:
    schemas = document["components"]["schemas"]
    sent = {
        content["schema"]["$ref"].rpartition("/")[2]
        for _, operation in operations(document)
        for content in operation.get("requestBody", {}).get("content", {}).values()
    }
    assert sent - RULES.keys() == {"Login"}, "a form of others (RFC 6749), and the bodies without rules"
    assert schemas["NewInstrument"]["properties"]["slug"]["pattern"] == "^[a-z0-9][a-z0-9_]*$"
    assert schemas["NewInstrument"]["properties"]["cifs_port"] == {"type": "integer", "minimum": 1, "maximum": 65535}
    assert "Europe/Berlin" in schemas["InstrumentChanges"]["properties"]["timezone"]["enum"]
    assert schemas["NewHook"]["properties"]["config"]["anyOf"][0] == {"$ref": "#/components/schemas/FileFilterConfig"}
    assert all(schemas[name]["additionalProperties"] is False for name in RULES)
