"""A launcher whose runs are nobody's children: as Celery's, Kubernetes' or Docker's, they end without a word."""

import subprocess
import sys
from typing import Any, Self

import dagster as dg
from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData


class LauncherElsewhere(RunLauncher, ConfigurableClass):
    """Starts each run as a process of its own, and forgets it."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """As Dagster made it."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing can be set."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> Self:  # noqa: ARG003 - empty
        """From ``dagster.yaml``."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start it."""
        instance: dg.DagsterInstance = self._instance
        assert context.job_code_origin is not None
        arguments = ExecuteRunArgs(context.job_code_origin, context.dagster_run.run_id, instance.get_ref())
        command = [sys.executable, "-m", *arguments.get_command_args()]
        subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def terminate(self, run_id: str) -> bool:  # noqa: ARG002 - nobody is asked
        """Nobody knows how."""
        return False
