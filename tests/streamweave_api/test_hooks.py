"""Scripts and webhooks over the service: entering, changing, trying, and what is on record of them."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileRecord, FileVersion, HookRun
from streamweave.settings import Settings

Client = TestClient[Litestar]
Body = dict[str, Any]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCRIPT = {"name": "Script", "trigger": "pre_transfer", "implementation": "python_script", "script_path": "a.py"}
WEBHOOK = {
    "name": "Webhook",
    "trigger": "post_transfer",
    "implementation": "http_webhook",
    "webhook_url": "https://samples.example.org/hook",
    "webhook_secret": SECRET,
}
NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """The service's settings, with a folder of scripts and loopback as a network of the facility."""
    (tmp_path / "scripts").mkdir(mode=0o755)
    put(tmp_path / "scripts" / "a.py", 'print(\'{"decision": "skip", "reason": "no"}\')')
    return settings.model_copy(update={"hook_scripts_folder": tmp_path / "scripts", "webhook_networks": "127.0.0.1"})


def put(path: Path, code: str) -> None:
    path.write_text(code)
    path.chmod(0o644)


def enter(api: Client, values: Body) -> Body:
    answer = api.post("/api/hooks", json=values)
    assert answer.status_code == 201, answer.text
    hook: Body = answer.json()
    return hook


def refused(api: Client, values: Body) -> str:
    answer = api.post("/api/hooks", json=values)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


def test_a_secret_goes_in_and_never_comes_out(api: Client) -> None:
    hook = enter(api, WEBHOOK)
    path = f"/api/hooks/{hook['id']}"
    other = SECRET.replace("M", "N")
    answers = [
        api.get(path),
        api.get("/api/hooks"),
        api.patch(path, json={"webhook_secret": other}),
        api.get("/api/audit-log", params={"entity_id": hook["id"]}),
    ]
    assert all(answer.status_code == 200 for answer in answers)
    assert not any(SECRET[6:] in answer.text or other[6:] in answer.text for answer in answers)
    changed, created = answers[-1].json()
    assert created["changes"]["sealed_webhook_secret"] == {"before": None, "after": "***"}
    assert changed["changes"] == {"sealed_webhook_secret": {"before": "***", "after": "***"}}


def test_a_secret_is_kept_for_its_address_only(api: Client) -> None:
    path = f"/api/hooks/{enter(api, WEBHOOK)['id']}"
    assert api.patch(path, json={"priority": 3, "webhook_url": WEBHOOK["webhook_url"]}).status_code == 200
    moved = {"webhook_url": "https://elsewhere.example.org/"}
    answer = api.patch(path, json=moved)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "webhook_secret: is required, also for another address",
    )
    assert api.patch(path, json={**moved, "webhook_secret": SECRET}).status_code == 200


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"script_path": "../a.py"}, "script_path: must be relative"),
        ({"script_path": "/etc/a.py"}, "script_path: must be relative"),
        ({"script_path": "missing.py"}, "script_path: the script missing.py can't be read"),
        ({"script_path": None}, "script_path: is required"),
        ({"builtin_name": "file_filter"}, "builtin_name: must be null for a hook of the implementation python_script"),
        ({"webhook_url": "https://a.example.org/"}, "webhook_url: must be null"),
        ({"webhook_secret": SECRET}, "webhook_secret: is for hooks of the implementation http_webhook only"),
        ({"config": {"timeout_seconds": 3600}}, "config.timeout_seconds"),
        ({"config": {"colour": 1}}, "config: unknown key 'colour'"),
        ({"config": {"parameters": {"a": "x" * 20_000}}}, "config.parameters"),
        ({"trigger": "post_transfer", "config": {"on_failure": "proceed"}}, "config.on_failure: must be wait"),
    ],
)
def test_a_script_that_can_not_be_is_refused(api: Client, change: Body, problem: str) -> None:
    assert refused(api, {**SCRIPT, **change}).startswith(problem)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"webhook_secret": "geheim"}, "webhook_secret: must be whsec_"),
        ({"webhook_url": "ftp://a.example.org/"}, "webhook_url: must be written like"),
        ({"webhook_url": "https://me:pw@a.example.org/"}, "webhook_url: must be written like"),
        ({"webhook_url": "https://169.254.169.254/latest"}, "webhook_url: is an address that webhooks may not reach"),
        ({"webhook_url": "http://10.0.0.1/"}, "webhook_url: is an address that webhooks may not reach"),
        ({"webhook_url": "https://[::1]/"}, "webhook_url: is an address that webhooks may not reach"),
        ({"script_path": "a.py"}, "script_path: must be null"),
        ({"config": {"memory_mib": 64}}, "config: unknown key 'memory_mib'"),
    ],
)
def test_a_webhook_that_can_not_be_is_refused(api: Client, change: Body, problem: str) -> None:
    detail = refused(api, {**WEBHOOK, **change})
    assert detail.startswith(problem)
    assert "geheim" not in detail


def test_a_hook_without_its_secret_or_name_is_refused(api: Client) -> None:
    without = {field: value for field, value in WEBHOOK.items() if field != "webhook_secret"}
    assert refused(api, without).startswith("webhook_secret: is required")
    assert refused(api, {"name": "x", "trigger": "pre_transfer"}) == "builtin_name: is required"


def test_a_script_that_is_gone_can_be_switched_off(api: Client, settings: Settings) -> None:
    path = f"/api/hooks/{enter(api, SCRIPT)['id']}"
    assert settings.hook_scripts_folder is not None
    (settings.hook_scripts_folder / "a.py").unlink()
    assert api.patch(path, json={"enabled": False}).status_code == 200
    assert api.patch(path, json={"script_path": "a.py"}).status_code == 422


def test_a_script_is_tried_on_a_file_that_is_made_up(api: Client, settings: Settings) -> None:
    path = f"/api/hooks/{enter(api, SCRIPT)['id']}/test"
    answer = api.post(path, json={"source_path": "share/a.csv", "size_bytes": 23, "metadata": {"a": "b"}}).json()
    assert answer.pop("seconds") > 0
    assert answer == {
        "ok": True,
        "decision": "skip",
        "reason": "no",
        "destination": None,
        "metadata": None,
        "grants": None,
    }
    assert settings.hook_scripts_folder is not None
    put(settings.hook_scripts_folder / "a.py", "raise SystemError('out of order')")
    failed = api.post(path, json={"source_path": "share/a.csv"}).json()
    assert (failed["ok"], failed["error_kind"]) == (False, "hook_failed")
    assert failed["detail"] == "the script ended with exit status 1"
    assert "SystemError: out of order" in failed["diagnostics"]
    assert api.get("/api/hook-runs").json() == []


def test_a_webhook_is_tried_on_a_file_that_is_made_up(api: Client, webhook_receiver: Any) -> None:
    told = {"metadata": {"sample": "cobalt"}, "grants": [{"grantee_type": "group", "name": "Lab A"}]}
    webhook_receiver.answer = lambda request: (200, {}, json.dumps(told).encode())
    path = f"/api/hooks/{enter(api, {**WEBHOOK, 'webhook_url': webhook_receiver.url()})['id']}/test"
    answer = api.post(path, json={"source_path": "share/a.csv", "mtime": "2026-02-24T12:00:00"}).json()
    assert (answer["ok"], answer["metadata"], answer["grants"]) == (True, {"sample": "cobalt"}, ["group Lab A"])
    [request] = webhook_receiver.received
    assert json.loads(request.body)["file"]["mtime"] == "2026-02-24T12:00:00+00:00"
    webhook_receiver.answer = lambda request: (503, {}, b"inside")
    failed = api.post(path, json={"source_path": "share/a.csv"}).json()
    assert failed == {
        "ok": False,
        "error_kind": "hook_failed",
        "detail": "the answer's status is 503: not now",
        "diagnostics": None,
    }


def test_a_built_in_hook_is_tried_too(api: Client) -> None:
    values = {"name": "F", "trigger": "pre_transfer", "builtin_name": "file_filter"}
    path = f"/api/hooks/{enter(api, {**values, 'config': {'exclude_patterns': ['*.tmp']}})['id']}/test"
    assert api.post(path, json={"source_path": "share/a.tmp"}).json()["reason"] == "excluded by pattern '*.tmp'"
    assert api.post(path, json={"source_path": "share/a.csv"}).json()["decision"] == "proceed"
    assert api.post(path, json={"size_bytes": 1}).status_code in (400, 422)


def test_without_a_folder_no_script_can_be_entered(api: Client, client: Client) -> None:
    reach = client.app.state["service"].reach
    reach.scripts = type(reach.scripts)(None)
    assert "STREAMWEAVE_HOOK_SCRIPTS_FOLDER" in refused(api, SCRIPT)


@pytest.fixture
def run(api: Client, sessions: Sessions, instrument: Body) -> HookRun:
    """A run of a script that failed for a file."""
    hook = enter(api, SCRIPT)
    with sessions.begin() as session:
        file = FileRecord(
            instrument_id=uuid.UUID(instrument["id"]),
            source_path="share/a.csv",
            folder="share",
            filename="a.csv",
            persistent_id="ark:/99999/fk4a",
            size_bytes=1,
            source_mtime=NOON,
            first_discovered_at=NOON,
        )
        session.add(file)
        session.flush()
        times = dict.fromkeys(("source_mtime", "state_since", "discovered_at", "unchanged_since"), NOON)
        version = FileVersion(
            file_id=file.id,
            instrument_id=file.instrument_id,
            number=1,
            size_bytes=1,
            acquisition_day=NOON.date(),
            observed_at=NOON,
            **times,
        )
        session.add(version)
        session.flush()
        run = HookRun(
            hook_id=uuid.UUID(hook["id"]),
            file_id=file.id,
            version_id=version.id,
            trigger="pre_transfer",
            started_at=NOON,
            seconds=0.1,
            outcome="failed",
            message="the script ended with exit status 1",
            diagnostics="Traceback: /inside",
        )
        session.add(run)
    return run


def test_admins_see_every_run_and_can_narrow_them_down(api: Client, run: HookRun) -> None:
    [body] = api.get("/api/hook-runs").json()
    assert (body["hook_name"], body["outcome"], body["diagnostics"]) == ("Script", "failed", "Traceback: /inside")
    for query, number in [
        ({"failed": True}, 1),
        ({"hook_id": str(run.hook_id)}, 1),
        ({"file_id": str(run.file_id)}, 1),
        ({"hook_id": str(uuid.uuid4())}, 0),
        ({"file_id": str(uuid.uuid4())}, 0),
    ]:
        assert len(api.get("/api/hook-runs", params=query).json()) == number, query


def test_a_files_history_tells_its_runs_without_what_only_admins_may_read(api: Client, run: HookRun) -> None:
    history = api.get(f"/api/files/{run.file_id}/history")
    [event] = [event for event in history.json() if event["event"] == "hook_failed"]
    assert event["detail"] == "Script: failed: the script ended with exit status 1"
    assert "Traceback" not in history.text


def test_runs_and_trials_are_for_admins(client: Client, researcher: dict[str, str]) -> None:
    for answer in (
        client.get("/api/hook-runs", headers=researcher),
        client.post(f"/api/hooks/{uuid.uuid4()}/test", json={"source_path": "a"}, headers=researcher),
    ):
        assert (answer.status_code, answer.json()) == (403, {"detail": "Admin access required"})
