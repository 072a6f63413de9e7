"""What the reverse proxy's example hands on is what the service and the guard know."""

import re
from pathlib import Path

import pytest

from streamweave_api.logins import logins_router
from streamweave_dagster.guard import LOGIN


@pytest.fixture
def example(repository_root: Path) -> str:
    return (repository_root / "deploy" / "nginx.conf.example").read_text()


def test_the_form_of_the_guard_reaches_a_route_that_exists(example: str) -> None:
    assert set(re.findall(r"location = (\S+)", example)) == {LOGIN}
    assert LOGIN in {route.path for route in logins_router.routes}


def test_dagster_is_reached_through_its_guard_under_the_name_that_the_browser_gave(example: str) -> None:
    dagster = example[example.index("listen 8443") :]
    assert "proxy_pass http://127.0.0.1:3000" in dagster
    assert "proxy_set_header Host $http_host;" in dagster
    port, name = re.findall(r"listen (\d+)|server_name (\S+);", dagster)
    assert f"{name[1]}:{port[0]}" in example[: example.index("map ")]


def test_the_guard_is_handed_the_login(example: str) -> None:
    assert "Cookie" not in example
    assert "Authorization" not in example


def test_braces_are_paired_and_statements_end(example: str) -> None:
    code = re.sub(r"#.*|'[^']*'", "", example)
    assert code.count("{") == code.count("}")
    ends = [line.strip()[-1] for line in code.splitlines() if line.strip() and "<" not in line]
    assert set(ends) <= {";", "{", "}"}


def test_where_attempts_come_from_is_not_for_clients_to_say(example: str) -> None:
    for proxied in re.findall(r"location [^@{]*\{(?:(?!location).)*?127\.0\.0\.1:8000.*?\}", example, re.DOTALL):
        assert "proxy_set_header X-Forwarded-For $remote_addr;" in proxied
