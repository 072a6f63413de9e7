"""Who sees what, over HTTP: the seed's tour of groups, projects and grants, and grants on instruments and folders."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileRecord, FileVersion, PendingGrant, Transfer, TransferStatus, VersionState

Client = TestClient[Litestar]
Body = dict[str, Any]

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)
PATHS = ["microscope/user_a/scan_01.csv", "microscope/user_a/scan_02.csv", "microscope/user_ab/scan_03.csv"]


def add_file(session: Session, instrument: Body, location: Body, path: str, number: int) -> str:
    record = FileRecord(
        instrument_id=uuid.UUID(instrument["id"]),
        source_path=path,
        folder=path.rpartition("/")[0],
        filename=path.rpartition("/")[2],
        persistent_id=f"ark:/99999/fk4{uuid.uuid4().hex}",
        size_bytes=23,
        source_mtime=NOON,
        first_discovered_at=NOON + timedelta(minutes=number),
    )
    session.add(record)
    session.flush()
    version = FileVersion(
        file_id=record.id,
        instrument_id=record.instrument_id,
        number=1,
        size_bytes=23,
        source_mtime=NOON,
        acquisition_day=date(2026, 2, 24),
        sha256=f"{number:064x}",
        state=VersionState.ARCHIVED,
        state_since=NOON,
        discovered_at=NOON,
        unchanged_since=NOON,
        observed_at=NOON,
    )
    session.add(version)
    session.flush()
    session.add(
        Transfer(
            file_id=record.id,
            version_id=version.id,
            instrument_id=record.instrument_id,
            storage_location_id=uuid.UUID(location["id"]),
            destination_path=path,
            status=TransferStatus.COMPLETED,
            checksum_verified=True,
            created_at=NOON + timedelta(minutes=number),
            completed_at=NOON + timedelta(minutes=number),
        )
    )
    return str(record.id)


@pytest.fixture
def files(sessions: Sessions, instrument: Body, location: Body) -> list[str]:
    """The ids of three files, each with a transfer; oldest first."""
    with sessions.begin() as session:
        return [add_file(session, instrument, location, path, number) for number, path in enumerate(PATHS)]


def user_id(client: Client, headers: dict[str, str]) -> str:
    return str(client.get("/users/me", headers=headers).json()["id"])


def assert_sees(client: Client, headers: dict[str, str], seen: list[str], files: list[str]) -> None:
    """On every route that could reveal a file: what one may see is there, all else is 404 and absent."""
    everything = {transfer["file_id"]: transfer["id"] for transfer in client.get("/api/transfers").json()}
    listed = client.get("/api/files", headers=headers)
    assert sorted(body["id"] for body in listed.json()) == sorted(seen)
    assert sorted(body["file_id"] for body in client.get("/api/transfers", headers=headers).json()) == sorted(seen)
    for file_id in files:
        expected = 200 if file_id in seen else 404
        for path in [f"files/{file_id}", f"files/{file_id}/versions", f"transfers/{everything[file_id]}"]:
            assert client.get(f"/api/{path}", headers=headers).status_code == expected, path
        of_file = client.get(f"/api/transfers?file_id={file_id}", headers=headers).json()
        assert len(of_file) == (file_id in seen)
    paged = client.get("/api/files?limit=1", headers=headers)
    assert len(paged.json()) == min(1, len(seen))
    assert ("Link" in paged.headers) == (len(seen) > 1)


def test_the_seeds_tour_of_access(api: Client, files: list[str], researcher: dict[str, str]) -> None:
    file_id, me = files[0], user_id(api, researcher)
    access = f"/api/files/{file_id}/access"
    assert_sees(api, researcher, [], files)

    granted = api.post(access, json={"grantee_type": "user", "grantee_id": me})
    assert granted.status_code == 201
    body = granted.json()
    assert (body["file_id"], body["grantee_type"], body["grantee_id"]) == (file_id, "user", me)
    assert set(body) == {"id", "file_id", "grantee_type", "grantee_id", "granted_at"}
    assert_sees(api, researcher, [file_id], files)
    assert api.get(f"/api/files/{files[1]}", headers=researcher).json() == {"detail": "File not found"}
    assert api.get(access).json() == [body]
    assert api.delete(f"{access}/{body['id']}").status_code == 204
    assert_sees(api, researcher, [], files)

    made = api.post("/api/groups", json={"name": "Lab A Researchers", "description": "All researchers in Lab A"})
    assert made.status_code == 201
    group = made.json()
    members = f"/api/groups/{group['id']}/members"
    added = api.post(members, json={"user_id": me})
    assert (added.status_code, added.json()) == (201, {"group_id": group["id"], "user_id": me})
    assert api.post(access, json={"grantee_type": "group", "grantee_id": group["id"]}).status_code == 201
    assert_sees(api, researcher, [file_id], files)
    assert api.get("/api/groups").json() == [group]
    assert api.get(f"/api/groups/{group['id']}").json() == group
    assert api.get(members).json() == [{"group_id": group["id"], "user_id": me}]
    changed = api.patch(f"/api/groups/{group['id']}", json={"description": "Updated description"}).json()
    assert (changed["name"], changed["description"]) == (group["name"], "Updated description")
    assert changed["updated_at"] > group["updated_at"]
    assert api.delete(f"{members}/{me}").status_code == 204
    assert_sees(api, researcher, [], files)

    api.post(members, json={"user_id": me})
    project = api.post("/api/projects", json={"name": "Microscopy Study 2026", "description": "Main"}).json()
    of_project = f"/api/projects/{project['id']}/members"
    joined = api.post(of_project, json={"member_type": "group", "member_id": group["id"]})
    assert joined.status_code == 201
    assert joined.json() == {
        "id": joined.json()["id"],
        "project_id": project["id"],
        "member_type": "group",
        "member_id": group["id"],
    }
    for grant in api.get(access).json():
        api.delete(f"{access}/{grant['id']}")
    assert_sees(api, researcher, [], files)
    assert api.post(access, json={"grantee_type": "project", "grantee_id": project["id"]}).status_code == 201
    assert_sees(api, researcher, [file_id], files)
    api.delete(f"{members}/{me}")
    assert_sees(api, researcher, [], files)
    direct = api.post(of_project, json={"member_type": "user", "member_id": me}).json()
    assert api.get("/api/projects").json() == [project]
    assert api.get(of_project).json() == [joined.json(), direct]
    assert_sees(api, researcher, [file_id], files)
    assert api.delete(f"{of_project}/{me}").status_code == 204
    assert_sees(api, researcher, [], files)


def test_management_is_admins_only(api: Client, files: list[str], instrument: Body, researcher: dict[str, str]) -> None:
    paths = [
        "groups",
        "projects",
        f"files/{files[0]}/access",
        f"instruments/{instrument['id']}/access",
        "pending-grants",
    ]
    for path in paths:
        answer = api.get(f"/api/{path}", headers=researcher)
        assert (answer.status_code, answer.json()) == (403, {"detail": "Admin access required"})
    answer = api.patch(f"/api/files/{files[0]}", json={"owner_id": None}, headers=researcher)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Admin access required"})


def test_a_grant_on_a_folder_covers_whole_components_and_files_to_come(
    api: Client, sessions: Sessions, files: list[str], instrument: Body, location: Body, researcher: dict[str, str]
) -> None:
    path, me = f"/api/instruments/{instrument['id']}/access", user_id(api, researcher)
    body = {"grantee_type": "user", "grantee_id": me, "path_prefix": "/microscope/user_a/"}
    grant = api.post(path, json=body).json()
    assert grant["path_prefix"] == "microscope/user_a"
    assert_sees(api, researcher, files[:2], files)
    with sessions.begin() as session:
        later = add_file(session, instrument, location, "microscope/user_a/later/scan_04.csv", 4)
    assert_sees(api, researcher, [*files[:2], later], [*files, later])
    assert api.post(path, json=body).status_code == 409
    whole = api.post(path, json={"grantee_type": "user", "grantee_id": me})
    assert (whole.status_code, whole.json()["path_prefix"]) == (201, None)
    assert api.get(path).json() == [grant, whole.json()]
    assert_sees(api, researcher, [*files, later], [*files, later])
    for given in api.get(path).json():
        assert api.delete(f"{path}/{given['id']}").status_code == 204
    assert_sees(api, researcher, [], [*files, later])


def test_an_owner_sees_their_file(api: Client, files: list[str], researcher: dict[str, str]) -> None:
    me = user_id(api, researcher)
    changed = api.patch(f"/api/files/{files[1]}", json={"owner_id": me})
    assert (changed.status_code, changed.json()["owner_id"]) == (200, me)
    assert_sees(api, researcher, [files[1]], files)
    assert api.patch(f"/api/files/{files[1]}", json={"owner_id": None}).json()["owner_id"] is None
    assert_sees(api, researcher, [], files)
    unknown = api.patch(f"/api/files/{files[1]}", json={"owner_id": str(uuid.uuid4())})
    assert (unknown.status_code, unknown.json()) == (422, {"detail": "owner_id: there is no such user"})
    assert api.patch(f"/api/files/{files[1]}", json={}).status_code == 422
    assert api.patch(f"/api/files/{uuid.uuid4()}", json={"owner_id": None}).status_code == 404


def test_what_exists_already_is_a_conflict_and_what_does_not_exist_is_named(
    api: Client, files: list[str], researcher: dict[str, str]
) -> None:
    me, nobody = user_id(api, researcher), str(uuid.uuid4())
    group = api.post("/api/groups", json={"name": "Lab A"}).json()
    project = api.post("/api/projects", json={"name": "Study"}).json()
    twice: list[tuple[str, Body]] = [
        (f"/api/files/{files[0]}/access", {"grantee_type": "user", "grantee_id": me}),
        (f"/api/groups/{group['id']}/members", {"user_id": me}),
        (f"/api/projects/{project['id']}/members", {"member_type": "user", "member_id": me}),
    ]
    for path, body in twice:
        assert api.post(path, json=body).status_code == 201
        assert api.post(path, json=body).status_code == 409
        field = next(field for field, value in body.items() if value == me)
        unknown = api.post(path, json={**body, field: nobody})
        assert (unknown.status_code, unknown.json()) == (422, {"detail": f"{field}: there is no such user"})
    assert api.post("/api/groups", json={"name": "LAB A"}).status_code == 409
    assert api.post("/api/projects", json={"name": "study"}).status_code == 409
    for path in ["groups", "projects"]:
        assert api.post(f"/api/{path}", json={"name": "a\u0000b"}).status_code == 422
        assert api.get(f"/api/{path}/{nobody}").status_code == 404
        assert api.delete(f"/api/{path}/{nobody}/members/{me}").status_code == 404
    assert api.delete(f"/api/files/{files[1]}/access/{nobody}").status_code == 404


@pytest.mark.parametrize("noun", ["groups", "projects"])
def test_a_deleted_group_or_project_opens_nothing_until_it_is_restored(
    api: Client, files: list[str], researcher: dict[str, str], noun: str
) -> None:
    row = api.post(f"/api/{noun}", json={"name": "Lab A"}).json()
    me = user_id(api, researcher)
    member = {"user_id": me} if noun == "groups" else {"member_type": "user", "member_id": me}
    api.post(f"/api/{noun}/{row['id']}/members", json=member)
    api.post(f"/api/files/{files[0]}/access", json={"grantee_type": noun[:-1], "grantee_id": row["id"]})
    assert_sees(api, researcher, [files[0]], files)
    assert api.delete(f"/api/{noun}/{row['id']}").status_code == 204
    assert_sees(api, researcher, [], files)
    assert api.get(f"/api/{noun}").json() == []
    assert api.post(f"/api/{noun}/{row['id']}/restore").status_code == 200
    assert_sees(api, researcher, [files[0]], files)


def test_what_waits_for_somebody_is_listed_and_can_be_removed(
    api: Client, sessions: Sessions, files: list[str], researcher: dict[str, str]
) -> None:
    with sessions.begin() as session:
        for minute, name in enumerate(["Lab A", "Lab B"]):
            noted_at = NOON + timedelta(minutes=minute)
            session.add(PendingGrant(file_id=uuid.UUID(files[0]), grantee_type="group", name=name, noted_at=noted_at))
    newest, oldest = api.get("/api/pending-grants").json()
    assert (newest["name"], oldest["name"], newest["file_id"]) == ("Lab B", "Lab A", files[0])
    path = f"/api/pending-grants/{newest['id']}"
    assert api.delete(path, headers=researcher).status_code == 403
    assert api.delete(path).status_code == 204
    again = api.delete(path)
    assert (again.status_code, again.json()) == (404, {"detail": "Pending grant not found"})
    assert api.get("/api/pending-grants").json() == [oldest]
    (entry,) = api.get(f"/api/audit-log?entity_id={newest['id']}").json()
    assert (entry["action"], entry["entity_type"]) == ("delete", "pending_grants")
    assert entry["actor_id"] == user_id(api, dict(api.headers))
    assert entry["changes"]["name"] == {"before": "Lab B", "after": None}
    created = {name: api.post("/api/groups", json={"name": name}).json()["id"] for name in ("Lab A", "Lab B")}
    assert [grant["grantee_id"] for grant in api.get(f"/api/files/{files[0]}/access").json()] == [created["Lab A"]]
