import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import text

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileGrant, InstrumentGrant, Project, User

Client = TestClient[Litestar]
Listed = Callable[..., list[str]]

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)
SCAN, IMAGE, NOTES = "microscope/user_a/experiment_001/scan_01.csv", "microscope/user_b/image-7.TIF", "microscope/notes"


@pytest.fixture
def stocked(shelf: Any, sessions: Sessions) -> Any:
    """Three files; the last one isn't archived."""
    with sessions.begin() as session:
        owner = User(email="owner@test.org", password_hash="none")
        session.add(owner)
        session.flush()
        shelf.owner_id = str(owner.id)
    shelf.scan = shelf.put(SCAN, b"0,1\n", metadata_={"username": "user_a", "run": 7, "beam": {"on": True}})
    shelf.image = shelf.put(
        IMAGE,
        b"x" * 100,
        metadata_={"username": "user_b", "sample": "Kobalt_Nr.9"},
        owner_id=owner.id,
        source_mtime=NOON + timedelta(days=1),
    )
    shelf.notes = shelf.put(NOTES, None, size_bytes=10, source_mtime=NOON - timedelta(days=1))
    return shelf


# tables of questions and answers: one catalog serves all of a table, since nothing here changes it
FOUND: list[tuple[dict[str, Any], list[str]]] = [
    ({"extension": "tif"}, [IMAGE]),
    ({"extension": ".CSV"}, [SCAN]),
    ({"min_size": 10}, [NOTES, IMAGE]),
    ({"min_size": 10, "max_size": 99}, [NOTES]),
    ({"acquired_from": "2026-02-24T12:00:00Z"}, [IMAGE, SCAN]),
    ({"acquired_from": "2026-02-24T12:00:00Z", "acquired_to": "2026-02-25T12:00:00Z"}, [SCAN]),
    ({"state": "settling"}, [NOTES]),
    ({"metadata__username": "user_a"}, [SCAN]),
    ({"metadata__run": "7"}, [SCAN]),
    ({"metadata__beam.on": "true"}, [SCAN]),
    ({"metadata__username": "user_a", "metadata__run": "8"}, []),
    ({"metadata__username": "USER_A"}, []),
    ({"q": "scan_01"}, [SCAN]),
    ({"q": "experiment"}, [SCAN]),
    ({"q": "microscope"}, [NOTES, IMAGE, SCAN]),
    ({"q": "image 7"}, [IMAGE]),
    ({"q": "kobalt 9"}, [IMAGE]),
    ({"q": "user_b/image-7.tif"}, [IMAGE]),
    ({"q": "experiment kobalt"}, []),
    ({"q": "' & | ! :* <->"}, []),
    ({"owner_id": str(uuid.uuid4())}, []),
    ({"project_id": str(uuid.uuid4())}, []),
]


def test_filters_and_words_find_what_they_say(stocked: Any, listed: Listed) -> None:
    assert [(query, listed(**query)) for query, _ in FOUND] == FOUND


def test_files_are_found_by_their_owner(stocked: Any, listed: Listed) -> None:
    assert listed(owner_id=stocked.owner_id) == [IMAGE]


def test_a_projects_files_are_those_granted_to_it_by_file_instrument_or_folder(
    stocked: Any, listed: Listed, sessions: Sessions, researcher: dict[str, str]
) -> None:
    instrument_id = uuid.UUID(stocked.instrument["id"])
    with sessions.begin() as session:
        single, whole, folder = (Project(name=name) for name in ("single", "whole", "folder"))
        session.add_all([single, whole, folder])
        session.flush()
        session.add_all(
            [
                FileGrant(file_id=uuid.UUID(stocked.scan), project_id=single.id, discovered_at=text("now()")),
                InstrumentGrant(instrument_id=instrument_id, project_id=whole.id),
                InstrumentGrant(instrument_id=instrument_id, project_id=folder.id, path_prefix="microscope/user_b"),
            ]
        )
        ids = [str(project.id) for project in (single, whole, folder)]
    assert [listed(project_id=project) for project in ids] == [[SCAN], [NOTES, IMAGE, SCAN], [IMAGE]]
    assert listed(researcher, project_id=ids[0]) == []


ORDERS = {
    "first_discovered_at": [SCAN, IMAGE, NOTES],
    "-first_discovered_at": [NOTES, IMAGE, SCAN],
    "size_bytes": [SCAN, NOTES, IMAGE],
    "-size_bytes": [IMAGE, NOTES, SCAN],
    "source_path": [NOTES, SCAN, IMAGE],
    "-source_path": [IMAGE, SCAN, NOTES],
    "source_mtime": [NOTES, SCAN, IMAGE],
    "-source_mtime": [IMAGE, SCAN, NOTES],
}


def paged(api: Client, address: str) -> list[str]:
    """The paths of all pages, from an address on."""
    paths = []
    while address:
        answer = api.get(address)
        paths += [body["source_path"] for body in answer.json()]
        address = answer.links.get("next", {}).get("url", "")
    return paths


def test_every_order_can_be_paged_through(stocked: Any, api: Client) -> None:
    assert {sort: paged(api, f"/api/files?sort={sort}&limit=1") for sort in ORDERS} == ORDERS


def test_paths_that_begin_alike_for_long_are_still_paged_through(shelf: Any, api: Client) -> None:
    paths = {f"microscope/{'ä' * 700}{number}.csv" for number in range(5)}
    for path in sorted(paths):
        shelf.put(path, None)
    seen = paged(api, "/api/files?sort=source_path&limit=2")
    assert (len(seen), set(seen)) == (5, paths)


def test_a_cursor_of_another_order_or_filter_is_refused(stocked: Any, api: Client) -> None:
    cursor = api.get("/api/files?limit=1").links["next"]["url"].partition("cursor=")[2]
    assert api.get(f"/api/files?cursor={cursor}").status_code == 200
    for other in [
        "sort=size_bytes",
        "sort=first_discovered_at",
        "state=archived",
        "q=scan",
        "metadata.username=user_a",
    ]:
        answer = api.get(f"/api/files?{other}&cursor={cursor}")
        assert (answer.status_code, answer.json()) == (422, {"detail": "cursor: is not a cursor of this list"})


def test_files_are_counted_only_when_asked_for_and_only_those_that_one_may_see(
    stocked: Any, api: Client, researcher: dict[str, str]
) -> None:
    assert "X-Total-Count" not in api.get("/api/files").headers
    assert api.get("/api/files?count=true&limit=1").headers["X-Total-Count"] == "3"
    assert api.get("/api/files?count=true&q=scan").headers["X-Total-Count"] == "1"
    assert api.get("/api/files?count=true", headers=researcher).headers["X-Total-Count"] == "0"


REFUSED = {
    "colour=red": "colour",
    "metadata.=x": "metadata.",
    "metadata.a=%00": "metadata.a",
    "metadata.%00=a": "metadata",
    "q=%00": "q",
    "q=": "q",
    "extension=%00": "extension",
    "min_size=-1": "min_size",
    "max_size=99999999999999999999": "max_size",
    "acquired_from=2026-02-24T12:00:00": "acquired_from",
    "acquired_to=yesterday": "acquired_to",
    "sort=colour": "sort",
    "count=perhaps": "count",
    "project_id=1": "project_id",
}


def test_what_can_not_be_asked_for_is_refused_by_name(api: Client) -> None:
    answers = {query: api.get(f"/api/files?{query}") for query in REFUSED}
    assert {query: answer.status_code for query, answer in answers.items()} == dict.fromkeys(REFUSED, 422)
    begins = {query: answer.json()["detail"][: len(REFUSED[query])] for query, answer in answers.items()}
    assert begins == REFUSED


def test_very_long_metadata_does_not_keep_a_file_out_of_the_catalog(shelf: Any, listed: Listed) -> None:
    words = " ".join(f"{number:x}é" for number in range(200_000))
    shelf.put(SCAN, None, metadata_={"username": "user_a", "words": words})
    assert listed(q="scan") == [SCAN]


def test_the_words_and_metadata_are_found_by_their_indexes(stocked: Any, sessions: Sessions) -> None:
    with sessions() as session:
        session.execute(text("SET enable_seqscan = off"))
        for condition, index in [
            ("words @@ plainto_tsquery('simple', 'scan')", "ix_file_records_words"),
            ("""metadata_ @> '{"username": "user_a"}'""", "ix_file_records_metadata"),
            ("extension = 'csv'", "ix_file_records_extension"),
        ]:
            plan = session.scalars(text(f"EXPLAIN SELECT id FROM file_records WHERE {condition}")).all()
            assert index in "\n".join(plan)


def test_so_many_filters_on_metadata_are_answered_and_no_more(api: Client, stocked: Any) -> None:
    filters = {f"metadata.key{number}": "value" for number in range(21)}
    refused = api.get("/api/files", params=filters)
    assert (refused.status_code, refused.json()) == (
        422,
        {"detail": "metadata: must be filtered by at most 20 keys at once"},
    )
    assert api.post("/api/files/archive", params=filters, json={}).status_code == 422
    filters.pop("metadata.key20")
    assert api.get("/api/files", params=filters).json() == []
