"""Dagster's two files say in the containers what `streamweave up` says on one machine."""

from pathlib import Path
from typing import Any

import yaml

from streamweave_cli.dagster_home import instance_settings, workspace


def test_dagsters_settings_are_those_of_streamweave_up(repository_root: Path) -> None:
    assert yaml.safe_load((repository_root / "dagster.yaml").read_text()) == instance_settings()


def test_the_workspace_is_that_of_streamweave_up_with_the_code_servers_address(
    repository_root: Path, services: dict[str, Any], programs_of: Any
) -> None:
    code_server = programs_of(services["code-server"])[-1]
    port = int(code_server[code_server.index("--port") + 1])
    assert yaml.safe_load((repository_root / "workspace.yaml").read_text()) == workspace("code-server", port)
