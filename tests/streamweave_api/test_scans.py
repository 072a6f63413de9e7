"""What the service says of scans at a real share with a folder that can't be listed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from simlab.shares import Share, available_kinds, serve
from streamweave.catalog.leases import DatabaseClock
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument, Scan, ScanOutcome
from streamweave.facility import Facility
from streamweave.harvest.scan import discover
from streamweave.sources.opening import open_source

Client = TestClient[Litestar]
Body = dict[str, Any]


@pytest.fixture
def scanned(api: Client, sessions: Sessions, instrument: Body, tmp_path: Path) -> str:
    """An instrument whose share holds a link to itself, scanned once."""
    folder = tmp_path / "microscope"
    folder.mkdir()
    (folder / "x.csv").write_bytes(b"x")
    (folder / "loop").symlink_to(".")
    with serve([Share("microscope", folder)], kind="samba", work_folder=tmp_path / "server") as server:
        account = {"name": "lab", "username": server.username, "password": server.password}
        account_id = api.post("/api/service-accounts", json=account).json()["id"]
        values = {"cifs_host": server.host, "cifs_port": server.port, "service_account_id": account_id}
        assert api.patch(f"/api/instruments/{instrument['id']}", json=values).status_code == 200
        facility = Facility(
            sessions=sessions,
            open_source=lambda each: open_source(each, server.password),
            open_storage=lambda location: pytest.fail("scans open no storage"),
            mint_identifier=lambda: "ark:/99999/fk4x",
            now=DatabaseClock(sessions),
        )
        with sessions() as session:
            row = session.get_one(Instrument, UUID(instrument["id"]))
            assert row.service_account is not None
        discover(facility, row)
    return f"/api/instruments/{instrument['id']}/scans"


@pytest.mark.skipif("samba" not in available_kinds(), reason="impacket lists links like folders")
def test_a_scan_names_the_folder_that_it_could_not_list_and_says_why(api: Client, scanned: str) -> None:
    (scan,) = api.get(scanned).json()
    assert (scan["outcome"], scan["files"], scan["unreadable_folders"]) == ("complete", 1, 1)
    assert list(scan["folders_not_listed"]) == ["microscope/loop"]
    assert "folder above it once more" in scan["folders_not_listed"]["microscope/loop"]


def test_a_scan_from_before_reasons_were_kept_names_its_folders_all_the_same(
    api: Client, sessions: Sessions, instrument: Body
) -> None:
    with sessions.begin() as session:
        session.add(
            Scan(
                instrument_id=UUID(instrument["id"]),
                started_at=datetime(2026, 3, 2, tzinfo=UTC),
                outcome=ScanOutcome.COMPLETE,
                unreadable_folders=1,
                unlisted_folders=["microscope/old"],
            )
        )
    (scan,) = api.get(f"/api/instruments/{instrument['id']}/scans").json()
    assert scan["folders_not_listed"] == {"microscope/old": "the reason was not kept"}
