import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileRecord, Scan, ScanOutcome

Client = TestClient[Litestar]

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)
DAY = "/api/summary?from_day=2026-02-01&to_day=2026-02-24"


def test_the_summary_counts_files_bytes_and_states(api: Client, shelf: Any) -> None:
    shelf.put("microscope/a.csv", b"12345")
    shelf.put("microscope/b.csv", b"123")
    shelf.put("microscope/c.csv", None, size_bytes=2)
    body = api.get(DAY).json()
    day = {"instrument_id": shelf.instrument["id"], "day": "2026-02-24", "files": 3, "bytes": 10}
    assert body["days"] == [day]
    since = "2026-02-24T13:00:00Z"
    assert body["states"] == [
        {"state": "archived", "files": 2, "oldest_since": since},
        {"state": "settling", "files": 1, "oldest_since": since},
    ]
    assert api.get("/api/summary?from_day=2026-02-25&to_day=2026-02-25").json()["days"] == []


def test_the_summary_tells_others_only_of_what_they_see(api: Client, shelf: Any, researcher: dict[str, str]) -> None:
    seen = shelf.put("microscope/a.csv", b"12345")
    shelf.put("microscope/b.csv", None)
    nothing = api.get(DAY, headers=researcher).json()
    assert (nothing["days"], nothing["states"]) == ([], [])
    shelf.show(seen, api.get("/users/me", headers=researcher).json()["email"])
    something = api.get(DAY, headers=researcher).json()
    assert [(day["files"], day["bytes"]) for day in something["days"]] == [(1, 5)]
    assert [(state["state"], state["files"]) for state in something["states"]] == [("archived", 1)]


@pytest.mark.parametrize(
    "query", ["from_day=x", "colour=red", "from_day=2026-02-25&to_day=2026-02-24", "from_day=0001-01-01"]
)
def test_a_summary_of_no_sensible_time_is_refused(api: Client, query: str) -> None:
    answer = api.get(f"/api/summary?{query}")
    assert (answer.status_code, list(answer.json())) == (422, ["detail"])


def test_the_summary_knows_its_earliest_days(api: Client) -> None:
    assert api.get("/api/summary?to_day=0001-01-03").json()["from_day"] == "0001-01-01"


def test_a_files_history_is_what_happened_to_it_in_order(api: Client, shelf: Any, sessions: Sessions) -> None:
    file_id = shelf.put("microscope/a.csv", b"first")
    shelf.add_version(file_id, None, 2)
    with sessions.begin() as session:
        session.get_one(FileRecord, uuid.UUID(file_id)).gone_at = NOON + timedelta(hours=9)
    events = api.get(f"/api/files/{file_id}/history").json()
    assert [(event["event"], event["version"]) for event in events] == [
        ("discovered", None),
        ("archived", 1),
        ("planned", 1),
        ("copying", 1),
        ("transferred", 1),
        ("changed", 2),
        ("settling", 2),
        ("gone", None),
    ]
    assert {event["storage_location"] for event in events} == {None, "Archive Storage"}
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


def test_a_file_knows_its_transfers_and_the_looks_at_its_share(
    api: Client, shelf: Any, sessions: Sessions, researcher: dict[str, str]
) -> None:
    file_id = shelf.put("microscope/a.csv", b"first")
    instrument_id = uuid.UUID(shelf.instrument["id"])
    with sessions.begin() as session:
        session.add_all(
            Scan(
                instrument_id=instrument_id,
                started_at=NOON + timedelta(hours=hours),
                finished_at=NOON + timedelta(hours=hours, minutes=5),
                outcome=ScanOutcome.COMPLETE,
                files=17,
            )
            for hours in (-1, 0, 1)
        )
    scans = api.get(f"/api/files/{file_id}/scans").json()
    assert [scan["started_at"] for scan in scans] == ["2026-02-24T13:00:00Z", "2026-02-24T12:00:00Z"]
    assert set(scans[0]) == {"id", "outcome", "started_at", "finished_at"}
    assert [transfer["file_id"] for transfer in api.get(f"/api/files/{file_id}/transfers").json()] == [file_id]
    for part in ("scans", "transfers", "history", "versions/1"):
        answer = api.get(f"/api/files/{file_id}/{part}", headers=researcher)
        assert (answer.status_code, answer.json()) == (404, {"detail": "File not found"})
