import uuid
from typing import Any

import pytest
from dagster_graphql.schema import create_schema
from graphql import parse, validate
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import HarvestRun
from streamweave.errors import OrchestratorUnavailable
from streamweave.instruments.dagster import RELOAD
from streamweave.settings import Settings
from streamweave_api.app import create_app
from streamweave_api.dagster import LAUNCH, RUN, RUN_ERRORS, Dagster

Client = TestClient[Litestar]
Body = dict[str, Any]


@pytest.mark.parametrize("query", [LAUNCH, RUN, RUN_ERRORS, RELOAD], ids=["LAUNCH", "RUN", "RUN_ERRORS", "RELOAD"])
def test_dagsters_own_schema_knows_what_we_ask(query: str) -> None:
    assert validate(create_schema().graphql_schema, parse(query)) == []


def test_a_trigger_launches_the_harvest_of_the_schedules_instrument(api: Client, schedule: Body, dagster: Any) -> None:
    answer = api.post(f"/api/schedules/{schedule['id']}/trigger")
    assert answer.status_code == 200
    assert answer.json() == {"run_id": "run-1", "schedule_id": schedule["id"]}
    params = next(variables["params"] for operation, variables in dagster.asked if operation == "Launch")
    assert params == {
        "selector": {
            "repositoryLocationName": "streamweave",
            "repositoryName": "__repository__",
            "jobName": "harvest",
        },
        "runConfigData": {"ops": {"discover": {"config": {"instrument": "microscope_01"}}}},
        "executionMetadata": {"tags": [{"key": "instrument", "value": "microscope_01"}]},
    }


def test_a_disabled_schedule_can_not_be_triggered(api: Client, schedule: Body) -> None:
    api.patch(f"/api/schedules/{schedule['id']}", json={"enabled": False})
    answer = api.post(f"/api/schedules/{schedule['id']}/trigger")
    assert answer.status_code == 400
    assert "disabled" in answer.json()["detail"]


def test_an_instrument_is_harvested_now(api: Client, schedule: Body, instrument: Body, dagster: Any) -> None:
    answer = api.post(f"/api/instruments/{instrument['id']}/harvest")
    assert answer.status_code == 200
    assert answer.json() == {"run_id": "run-1", "instrument_id": instrument["id"]}
    params = next(variables["params"] for operation, variables in dagster.asked if operation == "Launch")
    assert params["runConfigData"] == {"ops": {"discover": {"config": {"instrument": "microscope_01"}}}}


def test_an_instrument_without_an_enabled_schedule_is_not_harvested(
    api: Client, schedule: Body, instrument: Body
) -> None:
    path = f"/api/instruments/{instrument['id']}/harvest"
    api.patch(f"/api/schedules/{schedule['id']}", json={"enabled": False})
    refused = api.post(path)
    assert refused.status_code == 400
    assert "no enabled schedule names a storage location" in refused.json()["detail"]
    api.patch(f"/api/schedules/{schedule['id']}", json={"enabled": True})
    api.delete(f"/api/schedules/{schedule['id']}")
    assert api.post(path).status_code == 400


def test_a_disabled_instrument_is_not_harvested(api: Client, schedule: Body, instrument: Body) -> None:
    api.patch(f"/api/instruments/{instrument['id']}", json={"enabled": False})
    refused = api.post(f"/api/instruments/{instrument['id']}/harvest")
    assert refused.status_code == 400
    assert "disabled" in refused.json()["detail"]


def test_a_dagster_that_is_down_is_told_as_such(api: Client, schedule: Body, dagster: Any) -> None:
    dagster.stop()
    for answer in [
        api.post(f"/api/schedules/{schedule['id']}/trigger"),
        api.post(f"/api/instruments/{schedule['instrument_id']}/harvest"),
        api.get("/api/runs/run-1"),
    ]:
        assert answer.status_code == 502
        assert answer.json()["detail"].startswith("Dagster doesn't answer")


def test_a_dagster_that_refuses_is_told_as_such(api: Client, schedule: Body, dagster: Any) -> None:
    dagster.answers["Launch"] = lambda _: {
        "launchRun": {"__typename": "RunConfigValidationInvalid", "errors": [{"message": "no such instrument"}]}
    }
    answer = api.post(f"/api/schedules/{schedule['id']}/trigger")
    assert answer.status_code == 502
    assert answer.json() == {"detail": "Dagster did not start the harvest: no such instrument"}


def test_a_run_is_told_in_dagsters_words(api: Client, dagster: Any) -> None:
    run = {"__typename": "Run", "runId": "run-1", "status": "STARTED", "startTime": 1_770_000_000.5, "endTime": None}
    dagster.answers["Run"] = lambda _: {"runOrError": run}
    answer = api.get("/api/runs/run-1")
    assert answer.status_code == 200
    assert answer.json() == {
        "run_id": "run-1",
        "status": "STARTED",
        "started_at": "2026-02-02T02:40:00.500000Z",
        "ended_at": None,
        "error": None,
        "progress": None,
    }


def test_a_run_comes_with_the_progress_of_its_transfers(
    api: Client, dagster: Any, instrument: Body, sessions: Sessions
) -> None:
    progress = {
        "files": 3,
        "files_total": 10,
        "bytes": 300,
        "bytes_total": 1000,
        "files_per_second": 1.5,
        "bytes_per_second": 150.0,
        "seconds_left": 4.7,
    }
    row = HarvestRun(
        instrument_id=uuid.UUID(instrument["id"]),
        dagster_run_id="run-1",
        started_at=func.now(),
        heartbeat_at=func.now(),
        progress=progress,
    )
    with sessions.begin() as session:
        session.add(row)
    run = {"__typename": "Run", "runId": "run-1", "status": "STARTED", "startTime": 1.0, "endTime": None}
    dagster.answers["Run"] = lambda _: {"runOrError": run}
    assert api.get("/api/runs/run-1").json()["progress"] == progress


def test_a_failed_run_comes_with_its_first_error(api: Client, dagster: Any) -> None:
    run = {"__typename": "Run", "runId": "run-1", "status": "FAILURE", "startTime": 1.0, "endTime": 2.0}
    pages = {
        None: {"events": [{"__typename": "LogMessageEvent"}], "cursor": "1", "hasMore": True},
        "1": {
            "events": [
                {"__typename": "ExecutionStepFailureEvent", "error": {"message": "the share is gone\n"}},
                {"__typename": "RunFailureEvent", "error": None, "message": "Steps failed."},
            ],
            "cursor": "2",
            "hasMore": False,
        },
    }
    dagster.answers["Run"] = lambda _: {"runOrError": run}
    dagster.answers["RunErrors"] = lambda variables: {
        "runOrError": {"__typename": "Run", "eventConnection": pages[variables["cursor"]]}
    }
    assert api.get("/api/runs/run-1").json()["error"] == "the share is gone"


def test_an_unknown_run_is_not_found(api: Client, dagster: Any) -> None:
    dagster.answers["Run"] = lambda _: {"runOrError": {"__typename": "RunNotFoundError"}}
    answer = api.get("/api/runs/run-1")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Run not found"}


def test_a_change_of_instruments_or_schedules_reloads_the_code_location(
    api: Client, schedule: Body, dagster: Any
) -> None:
    dagster.wait_until_asked("Reload")
    assert dagster.asked[-1] == ("Reload", {"location": "streamweave"})
    before = len(dagster.asked)
    api.patch(f"/api/schedules/{schedule['id']}", json={"enabled": False})
    dagster.wait_until_asked("Reload", before + 1)


def test_a_change_is_made_although_dagster_is_down(settings: Settings, dagster: Any, admin: dict[str, str]) -> None:
    dagster.stop()
    values = {"name": "Microscope 01", "cifs_host": "microscope-01", "cifs_share": "microscope"}
    with TestClient(create_app(settings)) as client:
        assert client.post("/api/instruments", json=values, headers=admin).status_code == 201


def test_a_location_that_does_not_load_is_an_error(dagster: Any) -> None:
    broken = {"__typename": "PythonError", "message": "no module named streamweave"}
    dagster.answers["Reload"] = lambda _: {
        "reloadRepositoryLocation": {"__typename": "WorkspaceLocationEntry", "locationOrLoadError": broken}
    }
    client = Dagster(dagster.url)
    with pytest.raises(OrchestratorUnavailable, match="did not reload: no module named streamweave"):
        client.reload_location()
    client.close()
