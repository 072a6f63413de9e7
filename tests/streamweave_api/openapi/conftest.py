"""The document and its page, which need no catalog."""

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from litestar import Litestar
from litestar.testing import TestClient

from streamweave.settings import Settings
from streamweave_api.app import create_app


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient[Litestar]]:
    """The service beside a catalog that nobody asks for anything."""
    settings = Settings(
        database_url="postgresql://nobody@127.0.0.1:1/none",
        encryption_keys=Fernet.generate_key().decode(),
        secret_key="a secret of the tests, long enough to sign tokens",
    )
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="session")
def document(client: TestClient[Litestar]) -> dict[str, Any]:
    """The document as it is served, which nobody has to log in for."""
    answer = client.get("/schema/openapi.json")
    assert answer.status_code == 200
    whole: dict[str, Any] = answer.json()
    return whole
