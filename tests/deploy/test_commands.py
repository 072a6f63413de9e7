"""What the containers run exists, and is what `streamweave up` runs."""

import inspect
import itertools
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

import simlab.cli
import streamweave_cli.app
from simlab.host import SMB_PORT
from simlab.seed import SEED
from streamweave_cli import programs
from streamweave_cli.programs import Ports
from streamweave_cli.readiness import LOOPBACK
from streamweave_cli.supervisor import Program
from streamweave_cli.up import up

WORKSPACE = Path("/dagster/workspace.yaml")
CODE_SERVER_PORT = 4000


@pytest.fixture
def ports() -> Ports:
    """Those that `streamweave up` takes by itself."""
    options = inspect.signature(up).parameters
    return Ports(options["api_port"].default, options["dagster_port"].default, CODE_SERVER_PORT)


def in_a_container(program: Program) -> list[str]:
    replaced = {sys.executable: "python", LOOPBACK: "0.0.0.0"}
    return [replaced.get(word, word) for word in program.command]


def test_each_service_runs_what_streamweave_up_runs(
    services: dict[str, Any], programs_of: Callable[..., list[list[str]]], ports: Ports
) -> None:
    assert programs_of(services["code-server"]) == [
        in_a_container(programs.preparation({})),
        in_a_container(programs.code_server(ports, {})),
    ]
    assert programs_of(services["dagster-daemon"]) == [in_a_container(programs.daemon(WORKSPACE, {}))]
    assert programs_of(services["dagster-webserver"]) == [in_a_container(programs.webserver(ports, WORKSPACE, {}))]
    assert programs_of(services["api"]) == [in_a_container(programs.api(ports, {}))]


def test_every_module_that_is_run_can_be_found(
    all_services: dict[str, Any], programs_of: Callable[..., list[list[str]]]
) -> None:
    modules = {
        following
        for service in all_services.values()
        for words in programs_of(service)
        for word, following in itertools.pairwise(words)
        if word == "-m"
    }
    assert modules >= {"streamweave_api", "streamweave_dagster.definitions", "simlab"}
    assert [module for module in modules if find_spec(module) is None] == []


def test_every_command_and_option_of_ours_exists(
    all_services: dict[str, Any], programs_of: Callable[..., list[list[str]]]
) -> None:
    apps = {"streamweave": streamweave_cli.app.app, "simlab": simlab.cli.app}
    checked = set()
    for service in all_services.values():
        for words in programs_of(service):
            words = words[2:] if words[:2] == ["python", "-m"] else words
            if words[0] in apps:
                command = typer.main.get_command(apps[words[0]]).commands[words[1]]  # type: ignore[attr-defined]  # a group
                options = {option for parameter in command.params for option in parameter.opts}
                assert {word for word in words if word.startswith("--")} <= options
                checked.add((words[0], words[1]))
    assert checked == {
        ("streamweave", "migrate"),
        ("streamweave", "create-admin"),
        ("streamweave", "configure"),
        ("simlab", "host"),
        ("simlab", "manifest"),
    }


def test_each_simulated_instrument_has_a_host_of_its_name(
    simlab: dict[str, Any], programs_of: Callable[..., list[list[str]]]
) -> None:
    for instrument in SEED:
        (words,) = programs_of(simlab["services"][instrument.host])
        assert words[:5] == ["python", "-m", "simlab", "host", instrument.slug]
        assert words[words.index("--port") + 1] == str(SMB_PORT)
        assert words[words.index("--interface") + 1] == "0.0.0.0"
