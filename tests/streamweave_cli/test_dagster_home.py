"""dagster.yaml and workspace.yaml, read by Dagster itself."""

from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.workspace.load import location_origins_from_yaml_paths

from streamweave_cli.dagster_home import write_dagster_home
from streamweave_cli.databases import ensure_database, for_dagster
from streamweave_cli.postgres import EmbeddedPostgres
from streamweave_dagster.preparation import make_tables


def test_dagster_takes_its_settings_and_stores_in_postgres(
    tmp_path: Path, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_database(postgres.url("dagster_settings"))
    url = for_dagster(postgres.url("dagster_settings"))
    make_tables(url)
    monkeypatch.setenv("STREAMWEAVE_DAGSTER_DATABASE_URL", url)
    write_dagster_home(tmp_path, code_server_host="127.0.0.1", code_server_port=4266)
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_runs_count() == 0
        assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 10
        assert queue.tag_concurrency_limits == [
            {"key": "instrument", "limit": 1, "value": {"applyLimitPerUniqueValue": True}}
        ]
        assert instance.run_retries_max_retries == 2
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
        instance.event_log_storage.dispose()
        instance.run_storage.dispose()
        instance.schedule_storage.dispose()


def test_dagster_takes_the_workspace(tmp_path: Path) -> None:
    path = write_dagster_home(tmp_path, code_server_host="127.0.0.1", code_server_port=4266)
    (origin,) = location_origins_from_yaml_paths([str(path)])
    assert (origin.location_name, origin.host, origin.port) == ("streamweave", "127.0.0.1", 4266)  # type: ignore[attr-defined]  # it is a GrpcServerCodeLocationOrigin
