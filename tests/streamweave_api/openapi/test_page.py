"""Swagger UI: drawn from our own files alone, and held to that by the browser."""

import re
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]

PAGES = ["/schema", "/schema/swagger"]
HOST = re.compile(rb"(?:https?:)?//([a-z0-9.-]+\.[a-z]{2,})", re.IGNORECASE)
# an XML namespace is a name: nobody goes there
NAMESPACES = {b"www.w3.org"}


@pytest.fixture
def page(client: Client) -> str:
    return client.get("/schema").text


def assets_of(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="(/schema/assets/[^"]+)"', page)


@pytest.mark.parametrize("path", PAGES)
def test_the_page_needs_no_login(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")


def test_who_comes_without_a_path_is_led_to_the_page(client: Client) -> None:
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/schema")


def test_all_that_the_page_needs_is_there_and_may_be_kept(client: Client, page: str) -> None:
    kinds = {"css": "text/css", "js": "text/javascript", "png": "image/png"}
    assert len(assets_of(page)) == 4
    for path in assets_of(page):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Type"].partition(";")[0] == kinds[path.rpartition(".")[2]]
        assert answer.headers["Cache-Control"] == "max-age=86400, public"
        assert answer.headers["ETag"]


def test_neither_page_nor_styles_nor_start_mention_another_host(client: Client, page: str) -> None:
    paths = [*PAGES, *(path for path in assets_of(page) if not path.endswith("bundle.js"))]
    for path in paths:
        assert set(HOST.findall(client.get(path).content)) <= NAMESPACES, path
    assert re.findall(r"@import|url\((?![\"']?data:)", client.get("/schema/assets/swagger-ui.css").text) == []


def test_the_browser_is_told_to_ask_no_other_host(client: Client) -> None:
    # what Swagger UI's own program mentions (a validator, links) it can't reach from here
    policy = client.get("/schema").headers["Content-Security-Policy"]
    allowed = {word for rule in policy.split(";") for word in rule.split()[1:]}
    assert policy.startswith("default-src 'none'")
    assert allowed == {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert "script-src 'self';" in policy


@pytest.mark.parametrize("name", ["index.html", "swagger-initializer.js", "..%2fswagger.py", "nothing"])
def test_nothing_else_is_served(client: Client, name: str) -> None:
    answer = client.get(f"/schema/assets/{name}")
    assert answer.status_code == 404


def test_the_page_sends_the_csrf_token_of_whoever_is_logged_in(client: Client, document: dict[str, Any]) -> None:
    start = client.get("/schema/assets/start.js").text
    assert document["components"]["securitySchemes"]["csrf"]["name"] in start
    assert "streamweave_csrf=" in start
