import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import StorageLocation

Client = TestClient[Litestar]
Body = dict[str, Any]

NOUNS = {
    "instruments": "Instrument",
    "service-accounts": "Service account",
    "storage-locations": "Storage location",
    "schedules": "Schedule",
    "hooks": "Hook",
}
FILTER = {
    "name": "Microscope File Filter",
    "trigger": "pre_transfer",
    "builtin_name": "file_filter",
    "config": {"exclude_patterns": ["*.tmp"]},
}
ACCOUNT = {"name": "simlab-service", "domain": "WORKGROUP", "username": "simlab", "password": "a secret"}

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(("path", "noun"), NOUNS.items())
def test_what_does_not_exist_is_not_found(api: Client, path: str, noun: str) -> None:
    nowhere = f"/api/{path}/{uuid.uuid4()}"
    for answer in [api.get(nowhere), api.patch(nowhere, json={}), api.delete(nowhere)]:
        assert answer.status_code == 404
        assert answer.json() == {"detail": f"{noun} not found"}


def test_an_instrument_has_the_contracts_fields(instrument: Body) -> None:
    assert uuid.UUID(instrument.pop("id"))
    created_at = instrument.pop("created_at")
    assert created_at.endswith("Z")
    assert instrument.pop("updated_at") == created_at
    assert instrument == {
        "slug": "microscope_01",
        "name": "Microscope 01",
        "description": None,
        "location": None,
        "pid": None,
        "cifs_host": "microscope-01",
        "cifs_port": 445,
        "cifs_share": "microscope",
        "cifs_base_path": "/",
        "service_account_id": None,
        "require_encryption": False,
        "authentication": "ntlm",
        "transfer_adapter": "smb",
        "transfer_config": None,
        "timezone": "UTC",
        "first_acquisition_day": "2020-01-01",
        "quiet_period_seconds": 60,
        "max_wait_seconds": 86400,
        "probe_open_writer": False,
        "marker_suffix": None,
        "shrink_threshold": 0.5,
        "poll_interval_seconds": 30,
        "max_attempts": 5,
        "retry_delay_seconds": 30,
        "silence_alert_after_seconds": None,
        "enabled": True,
        "acquisition_depth": None,
        "marker_name": None,
        "growing_files": "wait",
        "rehash_share": 0.01,
        "rehash_bytes": 256 << 20,
        "cleanup_acknowledged_at": None,
        "last_harvested_at": None,
        "deleted_at": None,
    }


def test_a_patch_changes_what_it_names_and_null_is_not_absent(api: Client, instrument: Body) -> None:
    path = f"/api/instruments/{instrument['id']}"
    assert api.patch(path, json={"pid": "ark:/1/2", "location": "Lab A"}).json()["pid"] == "ark:/1/2"
    changed = api.patch(path, json={"pid": None}).json()
    assert (changed["pid"], changed["location"], changed["name"]) == (None, "Lab A", "Microscope 01")
    assert changed["updated_at"] > changed["created_at"]
    assert api.get(path).json() == changed
    refused = api.patch(path, json={"cifs_host": None})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("cifs_host: ")


def test_a_slug_never_changes(api: Client, instrument: Body) -> None:
    answer = api.patch(f"/api/instruments/{instrument['id']}", json={"slug": "other"})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "slug: unknown field"}


def test_what_is_deleted_is_gone(api: Client, schedule: Body) -> None:
    path = f"/api/schedules/{schedule['id']}"
    answer = api.delete(path)
    assert answer.status_code == 204
    assert answer.content == b""
    assert api.get(path).status_code == 404


def test_lists_are_in_order_of_creation_and_come_in_pages(api: Client) -> None:
    names = [f"Instrument {number}" for number in range(5)]
    for name in names:
        api.post("/api/instruments", json={"name": name, "cifs_host": "host", "cifs_share": "share"})
    seen: list[str] = []
    address: str | None = "/api/instruments?limit=2"
    while address is not None:
        answer = api.get(address)
        seen += [instrument["name"] for instrument in answer.json()]
        address = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == names


def test_a_service_accounts_password_never_comes_out(api: Client) -> None:
    created = api.post("/api/service-accounts", json=ACCOUNT)
    assert created.status_code == 201
    shown = {"id", "name", "domain", "username", "allowed_hosts", "created_at", "updated_at", "deleted_at"}
    assert set(created.json()) == shown
    path = f"/api/service-accounts/{created.json()['id']}"
    changed = api.patch(path, json={"password": "another secret"})
    for answer in [created, changed, api.get(path), api.get("/api/service-accounts")]:
        assert "secret" not in answer.text


def test_a_service_account_in_use_stays(api: Client, instrument: Body) -> None:
    account = api.post("/api/service-accounts", json=ACCOUNT).json()
    api.patch(f"/api/instruments/{instrument['id']}", json={"service_account_id": account["id"]})
    answer = api.delete(f"/api/service-accounts/{account['id']}")
    assert answer.status_code == 409
    assert answer.json() == {"detail": "the service account simlab-service is used by the instrument Microscope 01"}


def test_a_name_can_be_given_once(api: Client, instrument: Body, location: Body) -> None:
    same = {"name": "MICROSCOPE 01", "slug": "other", "cifs_host": "host", "cifs_share": "share"}
    assert api.post("/api/instruments", json=same).status_code == 409
    elsewhere = {"name": location["name"], "base_path": location["base_path"] + "-2"}
    assert api.post("/api/storage-locations", json=elsewhere).status_code == 409


def test_a_storage_location_has_the_contracts_fields(location: Body, tmp_path: Path) -> None:
    assert set(location) == {
        "id",
        "name",
        "type",
        "connection_config",
        "base_path",
        "enabled",
        "created_at",
        "updated_at",
        "deleted_at",
        "journal_conflicts",
        "marked_at",
        "notice",
        "refusal",
        "refused_at",
    }
    assert (location["type"], location["connection_config"]) == ("posix", {})
    assert location["base_path"] == str(tmp_path / "archive")


def test_a_storage_location_in_no_root_is_refused_and_one_from_before_says_so(
    api: Client, location: Body, sessions: Sessions
) -> None:
    refused = api.post("/api/storage-locations", json={"name": "Lib", "base_path": f"{sys.prefix}/lib"})
    assert refused.status_code == 422
    assert "the program's Python" in refused.json()["detail"]
    outside = api.post("/api/storage-locations", json={"name": "Elsewhere", "base_path": "/srv/elsewhere"})
    assert "lies outside of the storage roots" in outside.json()["detail"]
    assert location["notice"] is None
    with sessions.begin() as session:
        session.add(StorageLocation(name="Old", base_path="/srv/old", connection_config={}))
    notices = {each["name"]: each["notice"] for each in api.get("/api/storage-locations").json()}
    assert notices[location["name"]] is None
    assert notices["Old"].startswith("/srv/old lies outside of the storage roots. It still works")


def test_a_hook_has_the_contracts_fields(api: Client, instrument: Body) -> None:
    created = api.post("/api/hooks", json={**FILTER, "instrument_id": instrument["id"]})
    assert created.status_code == 201
    hook = created.json()
    assert hook["script_path"] is None
    assert hook["webhook_url"] is None
    assert (hook["implementation"], hook["priority"], hook["enabled"]) == ("builtin", 0, True)
    assert hook["config"] == {"exclude_patterns": ["*.tmp"]}
    assert api.patch(f"/api/hooks/{hook['id']}", json={"config": {}}).json()["config"] == {}


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("instruments", "cifs_host", "not a host"),
        ("instruments", "cifs_host", "256.1.1.1"),
        ("instruments", "cifs_port", 0),
        ("instruments", "cifs_share", "a/b"),
        ("instruments", "cifs_base_path", "/data/../secrets"),
        ("instruments", "timezone", "Europe/Atlantis"),
        ("instruments", "name", "../escape"),
        ("instruments", "name", "NUL\0"),
        ("instruments", "slug", "Big"),
        ("instruments", "transfer_adapter", "rclone"),
        ("instruments", "transfer_config", {"connections": 9}),
        ("instruments", "service_account_id", NOBODY),
        ("instruments", "max_wait_seconds", 5),
        ("instruments", "quiet_period_seconds", 2**70),
        ("instruments", "first_acquisition_day", "2999-01-01"),
        ("service-accounts", "username", ""),
        ("storage-locations", "base_path", "/srv/../etc"),
        ("storage-locations", "base_path", "relative"),
        ("storage-locations", "base_path", "/proc/streamweave"),
        ("storage-locations", "base_path", "/"),
        ("storage-locations", "type", "tape"),
        ("storage-locations", "connection_config", {"key": 1}),
        ("hooks", "builtin_name", "virus_scan"),
        ("hooks", "trigger", "at_night"),
        ("hooks", "config", {"exclude_patterns": ["\0"]}),
        ("hooks", "config", {"redirect_rules": [{"pattern": "*.raw", "destination": "Nowhere"}]}),
        ("hooks", "script_path", "/bin/true"),
        ("hooks", "instrument_id", NOBODY),
        ("schedules", "cron_expression", "every day"),
        ("schedules", "cron_expression", "@reboot"),
        ("schedules", "cron_expression", "* * * * * *"),
        ("schedules", "default_storage_location_id", NOBODY),
        ("schedules", "instrument_id", NOBODY),
    ],
)
def test_bad_input_is_refused_when_it_is_entered_by_the_fields_name(
    api: Client, schedule: Body, tmp_path: Path, path: str, field: str, value: object
) -> None:
    good: dict[str, Body] = {
        "instruments": {"name": "Spectrometer 01", "cifs_host": "spectrometer-01", "cifs_share": "spectrometer"},
        "service-accounts": ACCOUNT,
        "storage-locations": {"name": "Restricted Storage", "base_path": str(tmp_path / "restricted")},
        "hooks": FILTER,
        "schedules": {key: schedule[key] for key in ("instrument_id", "default_storage_location_id")}
        | {"cron_expression": "0 * * * *"},
    }
    before = api.get(f"/api/{path}").json()
    answer = api.post(f"/api/{path}", json={**good[path], field: value})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(field)
    assert api.get(f"/api/{path}").json() == before
    assert api.post(f"/api/{path}", json=good[path]).status_code == 201


def test_a_regular_expression_that_can_not_be_used_is_refused(api: Client) -> None:
    values = {
        "name": "Enrichment",
        "trigger": "post_transfer",
        "builtin_name": "metadata_enrichment",
        "config": {"rules": [{"pattern": "(?P<user>[a-z", "source": "path"}]},
    }
    answer = api.post("/api/hooks", json=values)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("config.rules[0].pattern: ")
