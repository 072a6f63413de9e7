"""The whole way with nothing doubled: a real SMB server, the environment's settings, a folder as archive."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from cryptography.fernet import Fernet

from simlab.shares import Share, ShareServer, serve
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument
from streamweave.harvest.instrument_changes import update_instrument
from streamweave.instruments.instruments import create_instrument
from streamweave.instruments.schedules import create_schedule
from streamweave.instruments.service_accounts import create_service_account, update_service_account
from streamweave.sealing import Sealer
from streamweave.storage.locations import create_storage_location
from streamweave_dagster.definitions import code_location, the_facility
from streamweave_dagster.failures import TickFailed

DAY = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)


@dataclass
class Site:
    """An instrument's PC, and what its share holds."""

    server: ShareServer
    folder: Path
    archive: Path
    instrument: Instrument
    sealer: Sealer

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.write_bytes(content)
        os.utime(path, (DAY.timestamp(), DAY.timestamp()))


@pytest.fixture
def site(sessions: Sessions, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A served share whose instrument is in the catalog, and the environment that leads there."""
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("STREAMWEAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("STREAMWEAVE_ENCRYPTION_KEYS", key)
    the_facility.cache_clear()
    folder = tmp_path / "share"
    folder.mkdir()
    with serve([Share("microscope", folder)], work_folder=tmp_path / "server") as server:
        instrument = enter(sessions, Sealer(key), server, tmp_path / "archive")
        yield Site(server, folder, tmp_path / "archive", instrument, Sealer(key))
    the_facility().sessions.kw["bind"].dispose()
    the_facility.cache_clear()


def enter(sessions: Sessions, sealer: Sealer, server: ShareServer, archive: Path) -> Instrument:
    with sessions.begin() as session:
        account = create_service_account(
            session, sealer, {"name": "lab", "username": server.username, "password": server.password}
        )
        instrument = create_instrument(
            session,
            {
                "name": "Microscope 01",
                "cifs_host": server.host,
                "cifs_port": server.port,
                "cifs_share": "microscope",
                "service_account_id": account.id,
                "quiet_period_seconds": 1,
                "transfer_config": {"timeout_seconds": 5},
            },
        )
        location = create_storage_location(session, sealer, {"name": "archive", "base_path": str(archive)})
        create_schedule(
            session,
            {
                "instrument_id": instrument.id,
                "default_storage_location_id": location.id,
                "cron_expression": "0 3 * * *",
            },
        )
    return instrument


def tick(instance: dg.DagsterInstance) -> Any:
    repository = code_location().get_repository_def()
    resources = {"facility": the_facility()}
    with dg.build_sensor_context(instance=instance, repository_def=repository, resources=resources) as context:
        return repository.get_sensor_def("new_files_microscope_01").evaluate_tick(context)


def harvest(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return (
        code_location()
        .resolve_job_def("harvest")
        .execute_in_process(
            run_config={"ops": {"discover": {"config": {"instrument": "microscope_01"}}}}, instance=instance
        )
    )


def test_another_content_under_the_same_size_and_mtime_is_found_and_archived(
    site: Site, instance: dg.DagsterInstance
) -> None:
    for content in (b"first", b"other"):
        site.write("scan_01.csv", content)
        assert harvest(instance).success
    assert harvest(instance).success
    archive = site.archive / "Microscope 01" / "microscope"
    assert {path.name: path.read_bytes() for path in archive.iterdir()} == {
        "scan_01.csv": b"first",
        "scan_01~v2.csv": b"other",
    }


def test_the_job_brings_what_stands_on_the_share_into_the_archive(site: Site, instance: dg.DagsterInstance) -> None:
    site.write("scan_01.csv", b"frame,value\n1,2\n")
    result = harvest(instance)
    assert [event.partition for event in result.get_asset_materialization_events()] == ["2026-02-03"]
    archived = site.archive / "Microscope 01" / "microscope" / "scan_01.csv"
    assert archived.read_bytes() == b"frame,value\n1,2\n"


def test_the_sensor_waits_out_a_short_quiet_period_and_requests_the_day(
    site: Site, instance: dg.DagsterInstance
) -> None:
    site.write("scan_01.csv", b"1,2\n")
    assert [request.partition_key for request in tick(instance).run_requests] == ["2026-02-03"]


def test_the_sensor_comes_back_for_a_long_quiet_period(
    site: Site, sessions: Sessions, instance: dg.DagsterInstance
) -> None:
    with sessions.begin() as session:
        update_instrument(session, site.instrument.id, {"quiet_period_seconds": 60})
    site.write("scan_01.csv", b"1,2\n")
    assert "1 still settling" in tick(instance).skip_message


def test_a_wrong_password_makes_the_sensor_red_and_the_right_one_heals_it(
    site: Site, sessions: Sessions, instance: dg.DagsterInstance
) -> None:
    account_id = site.instrument.service_account_id
    assert account_id is not None
    with sessions.begin() as session:
        update_service_account(session, site.sealer, account_id, {"password": "wrong"})
    for expected in ("refuse", "not tried again before"):
        with pytest.raises(TickFailed, match=expected):
            tick(instance)
    with sessions.begin() as session:
        update_service_account(session, site.sealer, account_id, {"password": site.server.password})
    assert "0 new" in tick(instance).skip_message


def test_a_missing_share_and_a_server_that_is_down_make_the_sensor_red(
    site: Site, sessions: Sessions, instance: dg.DagsterInstance
) -> None:
    with sessions.begin() as session:
        update_instrument(session, site.instrument.id, {"cifs_share": "nowhere"})
    with pytest.raises(TickFailed, match="no share 'nowhere'"):
        tick(instance)
    site.server.stop()
    with pytest.raises(TickFailed, match=str(site.server.port)):
        tick(instance)
