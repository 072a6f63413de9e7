"""What the reverse proxy's example asks and hands on is what the service knows."""

import re
from pathlib import Path

import pytest

from streamweave_api.credentials import LOGIN_COOKIE
from streamweave_api.logins.routes import logins_router


@pytest.fixture
def example(repository_root: Path) -> str:
    return (repository_root / "deploy" / "nginx.conf.example").read_text()


def test_every_route_that_is_named_exists(example: str) -> None:
    named = set(re.findall(r"/auth/[\w/-]+\w", example))
    known = {route.path for route in logins_router.routes}
    assert named == {"/auth/check-admin", "/auth/cookie/login"}
    assert named <= known


def test_dagster_is_asked_for_and_learns_nothing_of_logins(example: str) -> None:
    dagster = example[example.index("auth_request /auth/check-admin") : example.index("location = /auth/check-admin")]
    assert "proxy_pass http://127.0.0.1:3000" in dagster
    assert 'proxy_set_header Cookie "";' in dagster
    assert 'proxy_set_header Authorization "";' in dagster
    assert LOGIN_COOKIE not in example


def test_braces_are_paired_and_statements_end(example: str) -> None:
    code = re.sub(r"#.*|'[^']*'", "", example)
    assert code.count("{") == code.count("}")
    ends = [line.strip()[-1] for line in code.splitlines() if line.strip() and "<" not in line]
    assert set(ends) <= {";", "{", "}"}


def test_where_attempts_come_from_is_not_for_clients_to_say(example: str) -> None:
    for proxied in re.findall(r"location [^@{]*\{(?:(?!location).)*?127\.0\.0\.1:8000.*?\}", example, re.DOTALL):
        if "internal" not in proxied:
            assert "proxy_set_header X-Forwarded-For $remote_addr;" in proxied
