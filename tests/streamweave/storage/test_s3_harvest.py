"""One harvest whose files go to a bucket: by the schedule, and by a redirect rule."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from litestar import Litestar
from litestar.testing import TestClient

from fakes.memory_source import Laboratory
from streamweave.access.tokens import issue_token
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument, Role, User
from streamweave.facility import Facility, facility_of
from streamweave.harvest.run import harvest
from streamweave.preservation.repair import repair_copies
from streamweave.preservation.sweep import sweep_archive
from streamweave.settings import Settings
from streamweave_api.app import create_app

SIGNING = "a secret of the tests, long enough to sign tokens"


@dataclass
class Clock:
    """A clock that waiting moves."""

    time: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        encryption_keys=Fernet.generate_key().decode(),
        secret_key=SIGNING,
        dagster_url="http://127.0.0.1:1",
    )


@pytest.fixture
def laboratory() -> Laboratory:
    """A share with a small file, a file of several parts to be redirected, and an empty one."""
    laboratory = Laboratory(share="microscope")
    content = {"ä scan+1.csv": b"0,1\n", "large.raw": bytes(range(256)) * 45_000, "empty.csv": b""}
    for name, bytes_ in content.items():
        laboratory.write(f"microscope/day 1/{name}", bytes_, datetime(2026, 3, 2, 11, tzinfo=UTC))
    return laboratory


@pytest.fixture
def facility(settings: Settings, laboratory: Laboratory) -> Iterator[Facility]:
    clock = Clock()
    facility = facility_of(settings)
    yield replace(facility, open_source=lambda _: laboratory.source(), now=clock.now, wait=clock.wait)
    facility.close()


@pytest.fixture
def api(settings: Settings, sessions: Sessions) -> Iterator[TestClient[Litestar]]:
    """The service, asked by an admin."""
    with sessions.begin() as session:
        user = User(email="admin@test.org", password_hash="none", role=Role.ADMIN)
        session.add(user)
        session.flush()
        token = issue_token(user.id, SIGNING, 600)
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def instrument(api: TestClient[Litestar], sessions: Sessions, s3_server: Any, bucket: Any) -> Instrument:
    """An instrument that is harvested into one prefix of a bucket, and whose raw files go to another."""
    config = {
        "endpoint_url": s3_server.url,
        "allow_http": True,
        "access_key_id": s3_server.access_key_id,
        "secret_access_key": s3_server.secret_access_key,
    }

    def enter(path: str, **values: Any) -> str:
        answer = api.post(f"/api/{path}", json=values)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    archive, _ = (
        enter(
            "storage-locations", name=name, type="s3", base_path=f"s3://{bucket.name}/{name}", connection_config=config
        )
        for name in ("archive", "raw")
    )
    instrument_id = enter(
        "instruments", name="Microscope 01", cifs_host="microscope-01", cifs_share="microscope", quiet_period_seconds=5
    )
    enter("schedules", instrument_id=instrument_id, default_storage_location_id=archive, cron_expression="*/15 * * * *")
    rules = [{"pattern": "*.raw", "destination": "raw"}]
    enter("hooks", name="Raw", trigger="pre_transfer", builtin_name="file_filter", config={"redirect_rules": rules})
    with sessions() as session:
        return session.query(Instrument).one()


def test_a_harvest_into_a_bucket_is_proven_read_back_and_re_read(
    facility: Facility,
    api: TestClient[Litestar],
    instrument: Instrument,
    laboratory: Laboratory,
    bucket: Any,
    s3_server: Any,
) -> None:
    report = harvest(facility, instrument)
    assert sorted(key for key in bucket.keys if "/.streamweave/" not in key) == [
        "archive/Microscope 01/microscope/day 1/empty.csv",
        "archive/Microscope 01/microscope/day 1/ä scan+1.csv",
        "raw/Microscope 01/microscope/day 1/large.raw",
    ], report

    files = {body["filename"]: body["id"] for body in api.get("/api/files").json()}
    transfers = api.get("/api/transfers").json()
    assert f"s3://{bucket.name}/raw/Microscope 01/microscope/day 1/large.raw" in [
        transfer["destination_path"] for transfer in transfers
    ]
    assert all(transfer["checksum_verified"] for transfer in transfers)

    large = bytes(range(256)) * 45_000
    answer = api.get(f"/api/files/{files['large.raw']}/content", headers={"Range": "bytes=8388600-8388620"})
    assert (answer.status_code, answer.content) == (206, large[8388600:8388621])
    assert api.get(f"/api/files/{files['empty.csv']}/content").content == b""
    packed = api.post("/api/files/archive", json={"file_ids": list(files.values())})
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.read("microscope/day 1/large.raw") == large
        assert archive.read("microscope/day 1/ä scan+1.csv") == b"0,1\n"

    assert sweep(facility) == (3, [], [])
    bucket.keys["archive/Microscope 01/microscope/day 1/ä scan+1.csv"].value = b"0,2\n"
    del bucket.keys["raw/Microscope 01/microscope/day 1/large.raw"]
    files_read, damaged, _ = sweep(facility)
    assert (files_read, len(damaged)) == (3, 2)
    assert f"s3://{bucket.name}/raw/Microscope 01/microscope/day 1/large.raw" in damaged
    assert len(repair_copies(facility, instrument).repaired) == 2
    assert bucket.keys["archive/Microscope 01/microscope/day 1/ä scan+1~v1r1.csv"].value == b"0,1\n"
    assert bucket.keys["archive/Microscope 01/microscope/day 1/ä scan+1.csv"].value == b"0,2\n"
    assert api.get(f"/api/files/{files['large.raw']}/content").content == large
    s3_server.drop_bucket(bucket.name)
    assert sweep(facility)[1:] == ([], ["storage_refused", "storage_refused"])
    assert api.get(f"/api/files/{files['large.raw']}/content").status_code == 503


def sweep(facility: Facility) -> tuple[int, list[str], list[str]]:
    """Copies re-read, the addresses of damaged ones, and the kinds of trouble, a minute later."""
    facility.wait(60)
    reports = sweep_archive(facility)
    damaged = [damage.address for report in reports for damage in report.damaged]
    return sum(each.files for each in reports), damaged, [each.trouble.kind() for each in reports if each.trouble]
