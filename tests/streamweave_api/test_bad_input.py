"""Bad input of every kind, on every operation that takes it: a 4xx whose ``detail`` says what is wrong."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]
Headers = dict[str, str]

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
DEEP = 100_000
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "half an object": b'{"name": "x"',
    "null": b"null",
    "an array": b"[]",
    "a text": b'"x"',
    "a number": b"1",
    "invalid UTF-8": b'{"name": "\xff"}',
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "NUL": b'{"\\u0000": "\\u0000"}',
    "no JSON": b'{"name": NaN}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "an unknown field": b'{"colour": "red"}',
    "deep arrays": b"[" * DEEP,
    "deep objects": b'{"name": ' * DEEP,
    "a huge number": b'{"name": 1' + b"0" * 400_000 + b"}",
}
TOO_LARGE = b'{"name": "' + b"x" * 1024**2 + b'"}'
WRONG_QUERIES = {
    "limit": ["0", "-1", "1001", "1" + "0" * 30, "1" + "0" * 5000, "abc", "", "1.5", "%00", "\u0663"],
    "cursor": ["", "x", "%00", "%ff", "%ED%A0%80", "A" * 38, "A" * 5000, "../etc"],
}


def operations(client: Client) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation of the document: method, a path with unknown ids in it, and what it says of it."""
    for path, methods in client.get("/schema/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), re.sub(r"{[a-z_]+}", str(uuid.uuid4()), path), operation


def assert_refused(answer: Any, *statuses: int) -> None:
    assert answer.status_code in (statuses or range(400, 500)), (str(answer.request.url)[:200], answer.text[:200])
    assert list(answer.json()) == ["detail"]
    assert answer.json()["detail"]


def taking_bodies(client: Client) -> list[tuple[str, str, str]]:
    """Method and path of every operation that takes a body, and the type of the body."""
    found = [
        (method, path, next(iter(operation["requestBody"]["content"])))
        for method, path, operation in operations(client)
        if "requestBody" in operation
    ]
    assert len(found) > 25
    return found


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_that_can_not_be_is_refused_by_every_operation(api: Client, kind: str) -> None:
    for method, path, content_type in taking_bodies(api):
        answer = api.request(method, path, content=BODIES[kind], headers={"Content-Type": content_type})
        assert_refused(answer, 400, 404, 422)


def test_a_body_of_another_type_or_too_large_is_refused_by_every_operation(api: Client) -> None:
    for method, path, content_type in taking_bodies(api):
        for other in {JSON, FORM, "text/plain", "application/json-patch+json", "multipart/form-data", ""} - {
            content_type
        }:
            answer = api.request(method, path, content=b"{}", headers={"Content-Type": other})
            assert (answer.status_code, answer.json()) == (415, {"detail": f"The body must be {content_type}"})
        answer = api.request(
            method, path, content=TOO_LARGE, headers={"Content-Type": f"{content_type}; charset=utf-8"}
        )
        assert_refused(answer, 413)


@pytest.mark.parametrize("name", WRONG_QUERIES)
def test_a_part_of_a_list_that_can_not_be_is_refused_by_every_list(api: Client, name: str) -> None:
    lists = [path for _, path, operation in operations(api) if asks_for(operation, name)]
    assert len(lists) > 15
    for path in lists:
        for value in WRONG_QUERIES[name]:
            answer = api.get(f"{path}?{name}={value}")
            assert_refused(answer, 404, 422)
            assert answer.status_code == 404 or answer.json()["detail"].startswith(f"{name}: ")


def asks_for(operation: dict[str, Any], name: str) -> bool:
    return name in [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]


def test_a_parameter_that_is_given_twice_is_refused_by_every_operation(api: Client) -> None:
    for method, path, operation in operations(api):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query" and method == "GET":
                answer = api.get(f"{path}?{parameter['name']}=1&{parameter['name']}=2")
                assert answer.status_code == 422
                assert answer.json() == {"detail": f"{parameter['name']}: must be given only once"}


def test_a_cursor_counts_in_its_own_list_only_and_for_whom_it_was_made(
    api: Client, admin: Headers, researcher: Headers
) -> None:
    groups = [api.post("/api/groups", json={"name": name}).json()["id"] for name in ("a", "b")]
    me = api.get("/users/me").json()["id"]
    other = api.get("/users/me", headers=researcher).json()["id"]
    for group in groups:
        for user in (me, other):
            api.post(f"/api/groups/{group}/members", json={"user_id": user})
    for headers in (admin, researcher):
        for name in ("one", "two"):
            api.post("/api/tokens", json={"name": name}, headers=headers)
    address = api.get(f"/api/groups/{groups[0]}/members?limit=1").links["next"]["url"]
    assert [row["user_id"] for row in api.get(address).json()] == [other]
    tokens = api.get("/api/tokens?limit=1").links["next"]["url"]
    listed = api.get("/api/groups?limit=1").links["next"]["url"]
    for foreign, headers in [
        (address.replace(groups[0], groups[1]), admin),
        (tokens, researcher),
        (f"{listed}&include_deleted=true", admin),
        (listed.replace("groups", "projects"), admin),
        (listed.replace("groups", "users"), admin),
    ]:
        answer = api.get(foreign, headers=headers)
        assert (answer.status_code, answer.json()) == (422, {"detail": "cursor: is not a cursor of this list"}), foreign


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer  ",
        "Bearer a b c",
        "Bearer a.b.c",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer swt_",
        f"Bearer swt_{'x' * 9000}",
        f"Bearer {'.' * 9000}",
        "Bearer \u00e9\u00ff",
        "Basic YWRtaW46YWRtaW4=",
        "Negotiate",
    ],
)
def test_who_shows_nonsense_is_not_known_anywhere(client: Client, shown: str) -> None:
    paths = ["/api/files", f"/api/files/{uuid.uuid4()}/content", "/api/users", "/users/me", "/auth/check-admin"]
    for path in [*paths, "/ark:/99999/fk4x"] if shown else paths:
        answer = client.get(path, headers={"Authorization": shown.encode("latin-1")} if shown else {})
        assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"}), path


def test_unknown_paths_and_ids_of_every_shape_are_not_found(api: Client) -> None:
    for value in ["1", "%00", "%ff", "%2e%2e", "x" * 5000, f"{uuid.uuid4()}x", "\u0661", "null"]:
        for path in [f"/api/files/{value}", f"/api/files/{value}/content", f"/api/users/{value}", f"/nothing/{value}"]:
            assert_refused(api.get(path), 404)
    for number in ["0", "-1", "x", "1" + "0" * 30, "1" + "0" * 5000, "%00", "\u0661"]:
        assert_refused(api.get(f"/api/files/{uuid.uuid4()}/versions/{number}"), 404)
