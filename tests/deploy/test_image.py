"""The image is built from what is there, out of the lock, and does not run as root."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

INSTRUCTION = re.compile(r"^([A-Z]+) (.*)$", re.MULTILINE)


@pytest.fixture
def copied(dockerfile: str) -> set[str]:
    return {source for kind, rest in INSTRUCTION.findall(dockerfile) if kind == "COPY" for source in rest.split()[:-1]}


@pytest.fixture
def project(repository_root: Path) -> dict[str, Any]:
    return tomllib.loads((repository_root / "pyproject.toml").read_text())


def test_what_is_copied_exists(copied: set[str], repository_root: Path) -> None:
    assert [source for source in copied if not (repository_root / source).exists()] == []


def test_the_builder_is_given_what_is_copied_and_nothing_else(copied: set[str], repository_root: Path) -> None:
    lines = (repository_root / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied


def test_every_package_is_in_the_image(copied: set[str], project: dict[str, Any]) -> None:
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied
    assert project["project"]["readme"] in copied


def test_dependencies_come_from_the_lock_with_their_hashes(dockerfile: str) -> None:
    installs = re.findall(r"pip install ([^&\n]*)", dockerfile)
    assert ["--require-hashes --no-deps -r requirements.lock" in install for install in installs] == [True, False]
    assert "--no-deps" in installs[1]


def test_only_tools_of_development_are_taken_out(dockerfile: str, project: dict[str, Any]) -> None:
    (taken_out,) = re.findall(r"pip uninstall --yes ([^&\n]*)", dockerfile)
    of_development = {re.split(r"[>=<\[]", name)[0] for name in project["project"]["optional-dependencies"]["dev"]}
    assert set(taken_out.split()) <= of_development


def test_the_python_is_one_that_the_project_supports(dockerfile: str, project: dict[str, Any]) -> None:
    (version,) = re.findall(r"^FROM python:([\d.]+)-slim", dockerfile, re.MULTILINE)
    assert project["project"]["requires-python"] == f">={version}"


def test_no_stage_ends_as_root(dockerfile: str) -> None:
    stages = re.split(r"^FROM ", dockerfile, flags=re.MULTILINE)[1:]
    last_users = [re.findall(r"^USER (.*)$", stage, re.MULTILINE)[-1] for stage in stages]
    assert last_users == ["streamweave"] * len(stages)


def test_every_stage_that_is_built_exists(dockerfile: str, all_services: dict[str, Any]) -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.MULTILINE))
    assert {service["build"]["target"] for service in all_services.values() if "build" in service} == stages


def test_dagsters_home_holds_both_files_and_is_the_users(dockerfile: str, image_environment: dict[str, str]) -> None:
    home = image_environment["DAGSTER_HOME"]
    assert f"COPY dagster.yaml workspace.yaml {home}/" in dockerfile
    assert re.search(rf"install -d -o streamweave -g streamweave {home} ", dockerfile)


def test_every_mount_point_in_the_image_is_the_users(dockerfile: str, services: dict[str, Any]) -> None:
    owned = {
        path
        for arguments in re.findall(r"install -d -o streamweave -g streamweave ([^&\n]*)", dockerfile)
        for path in arguments.split()
    }
    written = [mount for mount in services["code-server"]["volumes"] if not mount.endswith(":ro")]
    assert {mount.rsplit(":", 1)[1] for mount in written} <= owned


def test_scripts_of_hooks_are_mounted_where_they_are_looked_for_and_can_not_be_written(
    services: dict[str, Any],
) -> None:
    for name in ("code-server", "api"):
        folder = services[name]["environment"]["STREAMWEAVE_HOOK_SCRIPTS_FOLDER"]
        assert [mount for mount in services[name]["volumes"] if mount.endswith(f":{folder}:ro")]
