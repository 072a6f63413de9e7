"""The databases on a server that may not be ours."""

import psycopg
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.engine import Engine

from streamweave.access.users import create_user
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Role, User
from streamweave.errors import StartError
from streamweave.settings import Settings
from streamweave_cli.databases import (
    ADMIN_EMAIL,
    ensure_database,
    for_dagster,
    holds_secrets,
    prepare_admin,
    sibling,
)
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.readiness import free_port


def test_a_missing_database_is_created_and_an_existing_one_kept(postgres: EmbeddedPostgres) -> None:
    url = postgres.url("ensured")
    ensure_database(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept ()")
    ensure_database(url)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == ("kept",)


def test_a_role_that_may_not_create_databases_is_told(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE ROLE humble LOGIN PASSWORD 'humble'")
    url = f"postgresql://humble:humble@127.0.0.1:{postgres.port}/wanted"
    with pytest.raises(StartError, match="the role 'humble' may not create it"):
        ensure_database(url)


def test_a_server_that_does_not_answer_is_told_without_the_password() -> None:
    url = f"postgresql://someone:hidden@127.0.0.1:{free_port()}/wanted"
    with pytest.raises(StartError, match="can't be reached") as refusal:
        ensure_database(url)
    assert "hidden" not in str(refusal.value)


def test_an_address_keeps_its_password_and_options() -> None:
    url = "postgresql+psycopg://me:p%40ss@db.example:5433/streamweave?sslmode=require"
    assert sibling(url, "dagster") == "postgresql://me:p%40ss@db.example:5433/dagster?sslmode=require"
    assert for_dagster(url) == "postgresql+psycopg2://me:p%40ss@db.example:5433/streamweave?sslmode=require"


def test_no_admin_is_made_up_while_there_is_an_active_one(sessions: Sessions, database_url: str) -> None:
    unnamed = Settings(database_url=database_url, admin_email="", admin_password=None)
    email, made_up_password = prepare_admin(unnamed)
    assert (email, bool(made_up_password)) == (ADMIN_EMAIL, True)
    with sessions.begin() as session:
        session.execute(update(User).values(is_active=False))
        create_user(session, {"email": "ada@example.org", "password": "a good password", "role": Role.ADMIN})
    assert prepare_admin(unnamed) == ("ada@example.org", None)
    _, made_up_password = prepare_admin(Settings(database_url=database_url, admin_email="eve@example.org"))
    assert made_up_password
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 3


def test_a_new_catalog_holds_no_secrets(engine: Engine) -> None:
    assert not holds_secrets(engine)
