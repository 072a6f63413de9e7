"""The files of the deployment, parsed: no Docker engine is needed to hold them against the code."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Compose = dict[str, Any]


@pytest.fixture
def compose_text(repository_root: Path) -> str:
    return (repository_root / "docker-compose.yml").read_text()


@pytest.fixture
def simlab_text(repository_root: Path) -> str:
    return (repository_root / "deploy" / "docker-compose.simlab.yml").read_text()


@pytest.fixture
def compose(compose_text: str) -> Compose:
    return yaml.safe_load(compose_text)


@pytest.fixture
def simlab(simlab_text: str) -> Compose:
    return yaml.safe_load(simlab_text)


@pytest.fixture
def services(compose: Compose) -> dict[str, Compose]:
    return compose["services"]


@pytest.fixture
def all_services(compose: Compose, simlab: Compose) -> dict[str, Compose]:
    """Those of both files together, merged as far as the files overlap: in what they depend on."""
    merged = {**simlab["services"], **compose["services"]}
    both = compose["services"].keys() & simlab["services"].keys()
    return {
        **merged,
        **{
            name: {
                **merged[name],
                "depends_on": compose["services"][name]["depends_on"] | simlab["services"][name]["depends_on"],
            }
            for name in both
        },
    }


@pytest.fixture
def script_of() -> Callable[[Compose], str]:
    """A service's shell script, as the shell gets to see it."""

    def script(service: Compose) -> str:
        shell, options, text = service["command"]
        assert (shell, options) == ("sh", "-ec")
        return text.replace("$$", "$")

    return script


@pytest.fixture
def programs_of(script_of: Callable[[Compose], str]) -> Callable[[Compose], list[list[str]]]:
    """The programs that a service runs one after the other, each as its command line's words."""

    def programs(service: Compose) -> list[list[str]]:
        command = service.get("command", [])
        if command[:1] != ["sh"]:
            return [command] if command else []
        lines = script_of(service).replace("\\\n", " ").splitlines()
        return [shlex.split(line.removeprefix("exec ")) for line in lines if not line.startswith("umask")]

    return programs


@pytest.fixture
def dockerfile(repository_root: Path) -> str:
    """With continued lines joined."""
    return (repository_root / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")


@pytest.fixture
def image_environment(dockerfile: str) -> dict[str, str]:
    (line,) = re.findall(r"^ENV (.*)$", dockerfile, re.MULTILINE)
    return dict(pair.split("=", 1) for pair in line.split())
