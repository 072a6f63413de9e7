"""Dagster's home: the instance's settings and the workspace, each from one Python mapping."""

from pathlib import Path
from typing import Any

import yaml

LOCATION = "streamweave"
DATABASE_VARIABLE = "STREAMWEAVE_DAGSTER_DATABASE_URL"
MAX_CONCURRENT_RUNS = 10
TICKS_KEPT_DAYS = {"skipped": 1, "success": 7, "failure": 30}


def instance_settings() -> dict[str, Any]:
    """``dagster.yaml``: how Dagster stores, queues, launches and watches.

    The database's address comes from the environment, with psycopg2's driver named: Dagster's event log fails on
    psycopg 3.
    """
    return {
        # the tables are made by `streamweave_dagster.preparation`; else each tick would check for them again
        "storage": {"postgres": {"postgres_url": {"env": DATABASE_VARIABLE}, "should_autocreate_tables": False}},
        "python_logs": {"python_log_level": "INFO"},
        "run_coordinator": {
            "module": "dagster._core.run_coordinator.queued_run_coordinator",
            "class": "QueuedRunCoordinator",
            # one after the other, each run would wait for the start of the one before
            "config": {"dequeue_interval_seconds": 1, "dequeue_use_threads": True, "dequeue_num_workers": 4},
        },
        "run_launcher": {"module": "dagster._core.launcher", "class": "DefaultRunLauncher", "config": {}},
        # capturing a run's output takes four more processes; the event log has what is logged, the rest is relayed
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
            "config": {},
        },
        "concurrency": {
            "runs": {
                "max_concurrent_runs": MAX_CONCURRENT_RUNS,
                "tag_concurrency_limits": [
                    {"key": "instrument", "limit": 1, "value": {"applyLimitPerUniqueValue": True}}
                ],
            }
        },
        "run_retries": {"enabled": True, "max_retries": 2},
        "run_monitoring": {
            "enabled": True,
            "start_timeout_seconds": 180,
            "cancel_timeout_seconds": 60,
            "poll_interval_seconds": 10,
        },
        "sensors": {"use_threads": True, "num_workers": 4},
        "schedules": {"use_threads": True, "num_workers": 4},
        "retention": {
            "sensor": {"purge_after_days": TICKS_KEPT_DAYS},
            "schedule": {"purge_after_days": TICKS_KEPT_DAYS},
        },
        "code_servers": {"local_startup_timeout": 300, "reload_timeout": 300},
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def workspace(host: str, port: int) -> dict[str, Any]:
    """``workspace.yaml``: the code server that serves the code location."""
    return {"load_from": [{"grpc_server": {"host": host, "port": port, "location_name": LOCATION}}]}


def write_dagster_home(folder: Path, *, code_server_host: str, code_server_port: int) -> Path:
    """Write ``dagster.yaml`` and ``workspace.yaml`` into ``folder``; the path of the workspace's file."""
    _write(folder / "dagster.yaml", instance_settings())
    path = folder / "workspace.yaml"
    _write(path, workspace(code_server_host, code_server_port))
    return path


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text("# written at every start\n" + yaml.safe_dump(content, sort_keys=False))
