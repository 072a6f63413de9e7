import pytest
from pydantic import ValidationError

from streamweave.settings import Settings


def test_a_database_url_that_can_not_be_used_is_not_repeated_by_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error may end up in Dagster's pages, and the address holds a password."""
    monkeypatch.setenv("STREAMWEAVE_DATABASE_URL", "mysql://streamweave:geheim@127.0.0.1/streamweave")
    with pytest.raises(ValidationError, match="must be a PostgreSQL address") as refused:
        Settings()
    assert "geheim" not in str(refused.value)
