"""Every variable means something, reaches whom it must, and no secret stands in a file."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from streamweave.settings import Settings
from streamweave_cli.dagster_home import DATABASE_VARIABLE
from streamweave_cli.databases import CATALOG, DAGSTER, for_dagster, sibling
from streamweave_cli.home import Home
from streamweave_cli.programs import Ports, system_environment

SECRETS = {
    "POSTGRES_PASSWORD",
    "STREAMWEAVE_ENCRYPTION_KEYS",
    "STREAMWEAVE_SECRET_KEY",
    "STREAMWEAVE_DAGSTER_TOKEN",
    "STREAMWEAVE_ADMIN_PASSWORD",
    "SIMLAB_PASSWORD",
}
INTERPOLATION = re.compile(r"(?<!\$)\$\{(\w+)(:[-?])?([^}]*)\}")
DATABASE_URL = "postgresql://streamweave@postgres:5432/streamweave"
# names the home of `streamweave up`, of which there is none here
ONLY_ON_ONE_MACHINE = {"STREAMWEAVE_HOME"}


@pytest.fixture
def told_by_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What `streamweave up` tells the processes of the system, and nothing that it hands down."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    return system_environment(Home.at(tmp_path), Settings(database_url=DATABASE_URL), Ports(8000, 3000, 4000))


def test_mails_and_links_lead_to_where_up_listens_unless_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(database_url=DATABASE_URL)

    def told() -> str:
        return system_environment(Home.at(tmp_path), settings, Ports(8123, 3000, 4000))["STREAMWEAVE_PUBLIC_URL"]

    monkeypatch.delenv("STREAMWEAVE_PUBLIC_URL", raising=False)
    assert told() == "http://127.0.0.1:8123"
    monkeypatch.setenv("STREAMWEAVE_PUBLIC_URL", "https://streamweave.example.org")
    assert told() == "https://streamweave.example.org"


@pytest.mark.parametrize("name", ["code-server", "dagster-daemon", "dagster-webserver", "api"])
def test_each_service_is_told_what_streamweave_up_tells(
    name: str, services: dict[str, Any], image_environment: dict[str, str], told_by_up: dict[str, str]
) -> None:
    given = {**image_environment, **services[name]["environment"]}
    assert told_by_up.keys() - ONLY_ON_ONE_MACHINE <= given.keys()
    same = ("STREAMWEAVE_DATABASE_URL", DATABASE_VARIABLE, "DAGSTER_DISABLE_TELEMETRY", "PYTHONUNBUFFERED")
    assert {variable: given[variable] for variable in same} == {variable: told_by_up[variable] for variable in same}


def test_every_variable_of_ours_is_one_that_is_read(all_services: dict[str, Any], compose_text: str) -> None:
    read = {f"STREAMWEAVE_{field.upper()}" for field in Settings.model_fields} | {DATABASE_VARIABLE}
    given = {variable for service in all_services.values() for variable in service.get("environment", {})}
    assert {name for name in given if name.startswith("STREAMWEAVE_")} <= read
    assert set(re.findall(r"STREAMWEAVE_[A-Z_]+", compose_text)) <= read


def test_secrets_must_be_set_and_have_no_default(compose_text: str, simlab_text: str) -> None:
    found = INTERPOLATION.findall(compose_text + simlab_text)
    operators = {name: {operator for other, operator, _ in found if other == name} for name in SECRETS}
    assert operators == {name: {":?"} for name in SECRETS}
    assert all(name in sentence for name, operator, sentence in found if operator == ":?")


def test_no_secret_stands_in_a_file(all_services: dict[str, Any]) -> None:
    for service in all_services.values():
        for variable, value in service.get("environment", {}).items():
            if any(word in variable for word in ("PASSWORD", "KEY", "TOKEN")):
                assert INTERPOLATION.fullmatch(value)


def test_defaults_are_those_of_the_settings(compose_text: str) -> None:
    defaults = {name: default for name, operator, default in INTERPOLATION.findall(compose_text) if operator == ":-"}
    for field in ("ark_naan", "ark_shoulder"):
        assert defaults[f"STREAMWEAVE_{field.upper()}"] == Settings.model_fields[field].default


def test_the_example_names_every_variable_and_sets_none(
    repository_root: Path, compose_text: str, simlab_text: str
) -> None:
    lines = (repository_root / "deploy" / ".env.example").read_text().splitlines()
    assignments = [line for line in lines if line and not line.startswith("#")]
    assert all(line.endswith("=") for line in assignments)
    assert {line.rstrip("=") for line in assignments} == {
        name for name, _, _ in INTERPOLATION.findall(compose_text + simlab_text)
    }


def test_both_databases_are_made_and_named(services: dict[str, Any], repository_root: Path) -> None:
    postgres, catalog_url = services["postgres"]["environment"], services["api"]["environment"]
    assert postgres["POSTGRES_DB"] == CATALOG
    assert f"CREATE DATABASE {DAGSTER};" in (repository_root / "deploy" / "postgres" / "dagster.sql").read_text()
    url = catalog_url["STREAMWEAVE_DATABASE_URL"]
    assert url == f"postgresql://{postgres['POSTGRES_USER']}@postgres:5432/{CATALOG}"
    assert catalog_url[DATABASE_VARIABLE] == for_dagster(sibling(url, DAGSTER))
