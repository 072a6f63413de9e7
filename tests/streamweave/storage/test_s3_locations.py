"""Storage locations of the type s3: what is entered, what is kept, and what is never shown again."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import text

from streamweave.access.tokens import issue_token
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Role, StorageLocation, User
from streamweave.errors import InvalidInput, StorageRefused
from streamweave.manifest import apply_manifest
from streamweave.sealing import Sealer
from streamweave.settings import Settings
from streamweave.storage.locations import create_storage_location, update_storage_location
from streamweave.storage.opening import storage_opener
from streamweave_api.app import create_app

KEYS = Fernet.generate_key().decode()
SEALER = Sealer(KEYS)
SIGNING = "a secret of the tests, long enough to sign tokens"

Config = dict[str, Any]


@pytest.fixture
def config(s3_server: Any) -> Config:
    """A connection_config for the server."""
    return {
        "endpoint_url": s3_server.url,
        "allow_http": True,
        "access_key_id": s3_server.access_key_id,
        "secret_access_key": s3_server.secret_access_key,
    }


@pytest.fixture
def values(config: Config, bucket: Any) -> Config:
    """A location as it is entered."""
    return {"name": "S3", "type": "s3", "base_path": f"s3://{bucket.name}/lab/", "connection_config": config}


@pytest.fixture
def api(database_url: str, sessions: Sessions) -> Iterator[TestClient[Litestar]]:
    """The service, asked by an admin."""
    with sessions.begin() as session:
        user = User(email="admin@test.org", password_hash="none", role=Role.ADMIN)
        session.add(user)
        session.flush()
        token = issue_token(user.id, SIGNING, 600)
    settings = Settings(
        database_url=database_url, encryption_keys=KEYS, secret_key=SIGNING, dagster_url="http://127.0.0.1:1"
    )
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def refused(sessions: Sessions, values: Config) -> InvalidInput:
    with sessions() as session, pytest.raises(InvalidInput) as refusal:
        create_storage_location(session, SEALER, values)
    return refusal.value


def test_a_new_location_is_prepared_and_keeps_its_secret_sealed(
    sessions: Sessions, values: Config, bucket: Any, s3_server: Any
) -> None:
    with sessions.begin() as session:
        location = create_storage_location(session, SEALER, values)
        assert location.base_path == f"s3://{bucket.name}/lab"
    assert set(bucket.keys) == {"lab/.streamweave/location"}
    with sessions() as session:
        row = session.get_one(StorageLocation, location.id)
        assert "secret_access_key" not in row.connection_config
        assert SEALER.open(row.sealed_secret_access_key or b"") == s3_server.secret_access_key
        assert s3_server.secret_access_key not in str(session.execute(text("SELECT * FROM storage_locations")).all())


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"access_key_id": None}, "connection_config.access_key_id", "must be text"),
        ({"secret_access_key": ...}, "connection_config.secret_access_key", "is required"),
        ({"access_key_id": ...}, "connection_config.access_key_id", "is required"),
        ({"allow_http": ...}, "connection_config.endpoint_url", "set allow_http"),
        ({"endpoint_url": "ftp://host"}, "connection_config.endpoint_url", "must be an address"),
        ({"endpoint_url": "https://me:pw@host"}, "connection_config.endpoint_url", "nothing else"),
        ({"region": "no region"}, "connection_config.region", "must be a region"),
        ({"colour": "red"}, "connection_config.colour", "unknown field"),
        ({"secret_access_key": "wrong"}, "base_path", "check secret_access_key"),
        ({"access_key_id": "AKIANOBODY"}, "base_path", "check access_key_id"),
    ],
)
def test_a_configuration_that_can_not_work_is_refused_by_its_field(
    sessions: Sessions, values: Config, changes: Config, field: str, words: str
) -> None:
    config = {key: value for key, value in {**values["connection_config"], **changes}.items() if value is not ...}
    refusal = refused(sessions, {**values, "connection_config": config})
    assert refusal.field == field
    assert words in refusal.problem


@pytest.mark.parametrize(
    ("base_path", "words"),
    [
        ("/srv/archive", "must be s3://bucket/prefix"),
        ("s3://Not A Bucket/x", "must be s3://bucket/prefix"),
        ("s3://archive/a//b", "empty parts"),
        ("s3://archive/../b", "'..'"),
        ("s3://archive/" + "x" * 1025, "at most 1024"),
        ("s3://there-is-no-such-bucket/x", "no such bucket: create it"),
    ],
)
def test_a_place_that_is_none_is_refused(sessions: Sessions, values: Config, base_path: str, words: str) -> None:
    refusal = refused(sessions, {**values, "base_path": base_path})
    assert refusal.field == "base_path"
    assert words in refusal.problem


def test_prefixes_lie_apart_whatever_the_server_is_called(sessions: Sessions, values: Config, bucket: Any) -> None:
    elsewhere = {**values["connection_config"], "endpoint_url": "http://another.name"}
    with sessions.begin() as session:
        create_storage_location(session, SEALER, values)
        for number, prefix in enumerate(["lab", "lab/inner", ""]):
            other = {**values, "name": f"{number}", "base_path": f"s3://{bucket.name}/{prefix}"}
            with pytest.raises(InvalidInput, match="apart from the storage location S3; only bucket and prefix"):
                create_storage_location(session, SEALER, {**other, "connection_config": elsewhere})
        beside = {**values, "name": "Beside", "base_path": f"s3://{bucket.name}/laboratory"}
        create_storage_location(session, SEALER, beside)


def test_a_secret_stays_for_the_key_and_server_that_it_was_given_for(
    sessions: Sessions, values: Config, config: Config
) -> None:
    shown = {key: value for key, value in config.items() if key != "secret_access_key"}
    with sessions.begin() as session:
        location = create_storage_location(session, SEALER, values)
        sealed = location.sealed_secret_access_key
        changed = update_storage_location(
            session, SEALER, location.id, {"name": "New", "connection_config": {**shown, "region": "eu-2"}}
        )
        assert (changed.name, changed.connection_config["region"]) == ("New", "eu-2")
        assert changed.sealed_secret_access_key == sealed
        for elsewhere in ({"access_key_id": "AKIAOTHER"}, {"endpoint_url": "http://127.0.0.1:1"}):
            with pytest.raises(InvalidInput, match=r"connection_config\.secret_access_key: is required"):
                update_storage_location(session, SEALER, location.id, {"connection_config": {**shown, **elsewhere}})


def test_a_key_pair_is_tried_before_it_is_kept(sessions: Sessions, values: Config, config: Config) -> None:
    with sessions.begin() as session:
        location = create_storage_location(session, SEALER, values)
        changes = {"connection_config": {**config, "secret_access_key": "mistyped"}}
        with pytest.raises(InvalidInput, match="check secret_access_key"):
            update_storage_location(session, SEALER, location.id, changes)


def test_a_folder_becomes_a_bucket_and_back_while_it_is_not_in_use(
    sessions: Sessions, values: Config, tmp_path: Path
) -> None:
    with sessions.begin() as session:
        location = create_storage_location(session, SEALER, {"name": "A", "base_path": str(tmp_path / "archive")})
        there = {key: values[key] for key in ("type", "base_path", "connection_config")}
        assert update_storage_location(session, SEALER, location.id, there).type == "s3"
        back = {"type": "posix", "base_path": str(tmp_path / "archive"), "connection_config": {}}
        assert update_storage_location(session, SEALER, location.id, back).sealed_secret_access_key is None


def test_a_secret_that_no_key_opens_refuses_the_location(sessions: Sessions, values: Config) -> None:
    with sessions.begin() as session:
        location = create_storage_location(session, SEALER, values)
    with pytest.raises(StorageRefused, match="'S3': a sealed password can't be opened"):
        storage_opener(Sealer(Fernet.generate_key().decode()))(location)


def test_a_manifest_can_name_one(sessions: Sessions, values: Config, bucket: Any) -> None:
    for _ in range(2):
        apply_manifest(sessions, KEYS, {"storage_locations": [values]})
    assert set(bucket.keys) == {"lab/.streamweave/location"}
    with sessions() as session:
        assert session.query(StorageLocation).one().connection_config["endpoint_url"]


def test_a_secret_goes_in_and_never_comes_out(
    api: TestClient[Litestar], values: Config, s3_server: Any, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [api.post("/api/storage-locations", json=values)]
    address = f"/api/storage-locations/{answers[0].json()['id']}"
    config = values["connection_config"]
    assert answers[0].status_code == 201
    assert answers[0].json()["connection_config"] == {
        key: value for key, value in config.items() if key != "secret_access_key"
    }
    answers += [
        api.patch(address, json={"connection_config": config}),
        api.patch(address, json={"connection_config": {**config, "region": "no region"}}),
        api.patch(address, json={"connection_config": {**config, "colour": 1}}),
        api.post("/api/storage-locations", json={**values, "name": "Twice"}),
        api.get(address),
        api.get("/api/storage-locations"),
        api.post(f"{address}/test"),
        api.delete(address),
        api.post(f"{address}/restore"),
        api.get("/api/audit-log"),
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [201, 200, 422, 422, 422, 200, 200, 200, 204, 200, 200]
    assert answers[3].json() == {"detail": "connection_config.colour: unknown field"}
    assert answers[7].json()["ok"] is True
    changes = [entry["changes"] for entry in answers[-1].json()]
    assert any(change.get("sealed_secret_access_key") == {"before": None, "after": "***"} for change in changes)
    secret = s3_server.secret_access_key
    with sessions() as session:
        sealed = session.query(StorageLocation.sealed_secret_access_key).scalar()
    for told in [*(answer.text for answer in answers), caplog.text]:
        assert secret not in told
        assert sealed.decode() not in told
        assert sealed.hex() not in told


def test_the_schema_calls_the_secret_write_only() -> None:
    settings = Settings(database_url="postgresql://nowhere", encryption_keys=KEYS, secret_key=SIGNING)
    schemas = create_app(settings).openapi_schema.to_schema()["components"]["schemas"]
    assert schemas["ConnectionConfig"]["properties"]["secret_access_key"]["writeOnly"] is True
    assert "secret_access_key" not in str(schemas["StorageLocationBody"])
