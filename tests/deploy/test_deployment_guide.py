"""What the guide tells people to type is tried."""

import json
import re
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from sqlalchemy import select, text

import streamweave_cli.app
from streamweave.access.users import ensure_admin
from streamweave.catalog.session import Sessions, catalog_engine
from streamweave.catalog.tables import User
from streamweave.instruments.instruments import create_instrument
from streamweave.instruments.schedules import create_schedule
from streamweave.instruments.service_accounts import create_service_account
from streamweave.sealing import Sealer
from streamweave.storage.locations import create_storage_location
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_cli.postgres.cluster import postgres_installation


@pytest.fixture
def guide(repository_root: Path) -> str:
    return (repository_root / "docs" / "deployment.md").read_text()


def made_with(guide: str, variable: str) -> str:
    (command,) = re.findall(rf"^\| `{variable}` \| `(.*)` \|$", guide, re.MULTILINE)
    return subprocess.run(
        ["sh", "-ec", command.replace("\\|", "|")], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_command_for_encryption_keys_makes_one(guide: str) -> None:
    sealer = Sealer(made_with(guide, "STREAMWEAVE_ENCRYPTION_KEYS"))
    assert sealer.open(sealer.seal("secret")) == "secret"


def test_the_commands_for_secrets_make_long_ones_that_need_no_quotes(guide: str) -> None:
    for variable in ("POSTGRES_PASSWORD", "STREAMWEAVE_SECRET_KEY"):
        assert re.fullmatch(r"[0-9a-f]{32,}", made_with(guide, variable))


def test_a_new_key_in_front_seals_while_the_old_one_still_opens(guide: str) -> None:
    old, new = (made_with(guide, "STREAMWEAVE_ENCRYPTION_KEYS") for _ in range(2))
    both = Sealer(f"{new},{old}")
    assert both.open(Sealer(old).seal("before")) == "before"
    assert Sealer(new).open(both.seal("after")) == "after"


def test_every_variable_of_the_example_is_explained(guide: str, repository_root: Path) -> None:
    example = (repository_root / "deploy" / ".env.example").read_text()
    variables = re.findall(r"^(\w+)=$", example, re.MULTILINE)
    assert [variable for variable in variables if f"`{variable}`" not in guide] == []


def test_every_service_is_named_and_every_named_one_exists(guide: str, all_services: dict[str, Any]) -> None:
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", guide, re.MULTILINE))
    used = set(re.findall(r"(?:exec(?: -T)?|logs|restart|up -d) ([a-z][a-z0-9-]+)", guide))
    assert listed | used <= set(all_services)
    assert listed == {"postgres", "migrate", "code-server", "dagster-daemon", "dagster-webserver", "api"}


def test_every_command_of_ours_exists(guide: str) -> None:
    known = typer.main.get_command(streamweave_cli.app.app).commands  # type: ignore[attr-defined]  # it is a group
    assert set(re.findall(r"streamweave ([a-z]+(?:-[a-z]+)*) --|`streamweave ([a-z-]+)`", guide)) == {
        ("create-admin", ""),
        ("verify", ""),
        ("", "verify"),
        ("", "configure"),
        ("", "up"),
        ("up", ""),
    }
    assert {"create-admin", "configure", "verify", "backup", "restore", "rebuild"} <= set(known)


def test_paths_of_the_checkout_that_are_named_exist(guide: str, repository_root: Path) -> None:
    paths = set(re.findall(r"(?:deploy|tests|docs)/[\w./-]*\w", guide))
    assert [path for path in paths if not (repository_root / path).exists()] == []


def test_the_requests_enter_an_instrument(guide: str, sessions: Sessions, tmp_path: Path) -> None:
    key = made_with(guide, "STREAMWEAVE_ENCRYPTION_KEYS")
    commands: dict[str, Callable[..., Any]] = {
        "service-accounts": lambda session, body: create_service_account(session, Sealer(key), body),
        "storage-locations": lambda session, body: create_storage_location(session, Sealer(key), body),
        "instruments": create_instrument,
        "schedules": create_schedule,
    }
    requests = re.findall(r"^(?:(\w+)=\$\()?post ([a-z-]+) <<'?JSON'?\n(.*?)\nJSON$", guide, re.MULTILINE | re.DOTALL)
    assert [path for _, path, _ in requests] == list(commands)
    ids: dict[str, str] = {}
    with sessions.begin() as session:
        for variable, path, body in requests:
            filled = re.sub(r"\$(\w+)", lambda match: ids[match[1]], body.replace("/storage", str(tmp_path)))
            values = {
                name: uuid.UUID(value) if name.endswith("_id") else value for name, value in json.loads(filled).items()
            }
            ids[variable] = str(commands[path](session, values).id)


def test_what_is_dumped_is_there_after_the_restore(
    guide: str, postgres: EmbeddedPostgres, database_url: str, sessions: Sessions, tmp_path: Path
) -> None:
    ensure_admin(sessions, "before@example.org", "a good password")
    dump, restore = re.findall(r"-T postgres (?:\\\n +)?(pg_.*)$", guide, re.MULTILINE)
    url = urlsplit(database_url)

    def run(command: str) -> None:
        program, rest = command.split(" ", 1)
        there = re.sub(r"\bstreamweave (?=[<>])", f"{url.path[1:]} ", rest).replace("catalog.dump", f"{tmp_path}/dump")
        subprocess.run(
            ["sh", "-ec", f"{postgres_installation() / 'bin' / program} {there}"],
            env={"PGHOST": "127.0.0.1", "PGPORT": str(url.port), "PGPASSWORD": str(url.password)},
            check=True,
        )

    run(dump)
    ensure_admin(sessions, "after@example.org", "a good password")
    run(restore)
    engine = catalog_engine(database_url)
    with engine.connect() as connection:
        assert connection.scalars(select(User.email)).all() == ["before@example.org"]
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    engine.dispose()
