"""The whole OpenAPI document, asked at random over HTTP, as an admin, as a user and by nobody known."""

import hashlib
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, strategies
from hypothesis import settings as examples
from schemathesis import APIOperation, Case, CheckContext, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy.orm import Session

from streamweave import ark
from streamweave.access.tokens import issue_token
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    Alert,
    AlertKind,
    FileGrant,
    FileRecord,
    FileVersion,
    FixityCheck,
    FixityHold,
    FixityOutcome,
    FixitySweep,
    Notification,
    Role,
    Scan,
    ScanOutcome,
    SubjectType,
    Transfer,
    TransferStatus,
    User,
    VersionState,
)
from streamweave.settings import Settings
from streamweave_api.app import create_app

Known = dict[str, Any]
Row = TypeVar("Row")

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)
SECRET = "a secret of the tests, long enough to sign tokens"
PATH, CONTENT = "scan.csv", b"0,1\n"
CALLERS = ["admin", "user", "nobody"]
EXAMPLES = 4  # of each operation, for each caller
# what is there must still be there when it is asked for, and only what was deleted is restored
ORDER = ["HEAD", "GET", "POST", "PATCH", "DELETE"]
LAST = "/restore"
# no Dagster answers here, and few logins are allowed: each of them takes a while
SURROUNDINGS = {"dagster_url": "http://127.0.0.1:1", "login_attempts_per_address": 3}


def no_server_error(context: CheckContext, response: Response, case: Case) -> bool | None:
    """That Dagster doesn't answer is no fault of the service."""
    return None if response.status_code == 502 else not_a_server_error(context, response, case)


CHECKS = [no_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def service_url(settings: Settings) -> Iterator[str]:
    """The service behind its web server, with no Dagster beside it."""
    app = create_app(settings.model_copy(update=SURROUNDINGS))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def caller(sessions: Sessions) -> Callable[[Role], uuid.UUID]:
    """Makes a user of a role; their id."""

    def make(role: Role) -> uuid.UUID:
        with sessions.begin() as session:
            user = User(email=f"{uuid.uuid4().hex}@test.org", password_hash="none", role=role)
            session.add(user)
            session.flush()
            return user.id

    return make


@pytest.fixture
def callers(caller: Callable[[Role], uuid.UUID]) -> dict[str, uuid.UUID]:
    """Those who ask and are known, by kind."""
    return {"admin": caller(Role.ADMIN), "user": caller(Role.USER)}


@pytest.fixture
def configured(api: Any, caller: Callable[[Role], uuid.UUID], tmp_path: Path) -> Known:
    """One of everything that admins enter: its id under the name of the parameter that asks for it."""

    def add(path: str, **values: Any) -> str:
        answer = api.post(path, json=values)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    # nothing listens at port 1: a test of the connection is refused at once
    instrument = add("/api/instruments", name="Microscope", cifs_host="127.0.0.1", cifs_port=1, cifs_share="microscope")
    location = add("/api/storage-locations", name="Archive", base_path=str(tmp_path / "archive"))
    schedule = {"default_storage_location_id": location, "cron_expression": "0 * * * *"}
    hook = {"trigger": "pre_transfer", "builtin_name": "file_filter", "config": {"exclude_patterns": ["*.tmp"]}}
    user = str(caller(Role.USER))
    group = add("/api/groups", name="Group")
    grant = add(f"/api/instruments/{instrument}/access", grantee_type="user", grantee_id=user)
    return {
        "instrument_id": instrument,
        "folder": str(tmp_path / "locations"),
        "location_id": location,
        "default_storage_location_id": location,
        "schedule_id": add("/api/schedules", instrument_id=instrument, **schedule),
        "hook_id": add("/api/hooks", name="Hook", **hook),
        "account_id": (account := add("/api/service-accounts", name="Account", username="harvester", password="s")),
        "service_account_id": account,
        "group_id": group,
        "member_id": group,
        "project_id": add("/api/projects", name="Project"),
        "request_id": add("/api/instrument-requests", name="Another", justification="It is needed"),
        "token_id": add("/api/tokens", name="Token"),
        "user_id": user,
        "owner_id": user,
        "grantee_id": user,
        "grant_id": grant,
    }


@pytest.fixture
def known(configured: Known, sessions: Sessions, callers: dict[str, uuid.UUID], tmp_path: Path) -> Known:
    """What is configured, and a file that was archived from there, which the user may see."""
    (tmp_path / "archive").mkdir(exist_ok=True)
    (tmp_path / "archive" / PATH).write_bytes(CONTENT)
    instrument_id, location_id = (uuid.UUID(configured[name]) for name in ("instrument_id", "location_id"))
    told = [Notification(id=uuid.uuid4(), user_id=user, kind="k", subject="s", body="b") for user in callers.values()]
    with sessions.begin() as session:
        record = _add(session, _record(instrument_id))
        transfer = _add(session, _transfer(_add(session, _version(record)), location_id))
        _add(session, FileGrant(file_id=record.id, user_id=callers["user"], discovered_at=NOON))
        _add(session, Scan(instrument_id=instrument_id, started_at=NOON, outcome=ScanOutcome.COMPLETE))
        alert = _add(session, _alert(instrument_id))
        session.add_all(told)
        damage = {"status": TransferStatus.DAMAGED, "damage": "it is no longer there", "damage_found_at": NOON}
        damaged = _transfer(transfer.version, location_id)
        for name, value in damage.items():
            setattr(damaged, name, value)
        _add(session, damaged)
        sweep = _add(session, FixitySweep(storage_location_id=location_id, started_at=NOON))
        hold = {"storage_location_id": location_id, "sweep_id": sweep.id, "held_at": NOON, "because": "too much"}
        held = {"hold_id": str(_add(session, FixityHold(**hold)).id)}
        _add(session, _check(damaged, sweep))
        archived = {"file_id": str(record.id), "name": record.persistent_id.removeprefix("ark:/"), "number": 1}
        others = {"transfer_id": transfer.id, "notification_id": told[-1].id, "alert_id": alert.id}
        return {**configured, **archived, **held, **{name: str(value) for name, value in others.items()}}


def _add(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row


def _record(instrument_id: uuid.UUID) -> FileRecord:
    return FileRecord(
        instrument_id=instrument_id,
        source_path=f"microscope/{PATH}",
        folder="microscope",
        filename=PATH,
        persistent_id=ark.mint("99999", "fk4"),
        size_bytes=len(CONTENT),
        source_mtime=NOON,
        first_discovered_at=NOON,
        metadata_={"username": "user_a"},
    )


def _version(record: FileRecord) -> FileVersion:
    return FileVersion(
        file_id=record.id,
        instrument_id=record.instrument_id,
        number=1,
        size_bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        source_mtime=NOON,
        acquisition_day=NOON.date(),
        state=VersionState.ARCHIVED,
        **dict.fromkeys(["state_since", "discovered_at", "unchanged_since", "observed_at", "archived_at"], NOON),
    )


def _transfer(version: FileVersion, location_id: uuid.UUID) -> Transfer:
    return Transfer(
        file_id=version.file_id,
        version_id=version.id,
        instrument_id=version.instrument_id,
        storage_location_id=location_id,
        destination_path=PATH,
        status=TransferStatus.COMPLETED,
        checksum_verified=True,
        **dict.fromkeys(["created_at", "started_at", "completed_at"], NOON),
    )


def _alert(instrument_id: uuid.UUID) -> Alert:
    about = {"subject_type": SubjectType.INSTRUMENT, "subject_id": instrument_id, "subject": "Microscope"}
    times = {"began_at": NOON, "last_seen_at": NOON}
    return Alert(kind=AlertKind.FAILING_SHARE, sentence="it fails", **about, **times)


def _check(transfer: Transfer, sweep: FixitySweep) -> FixityCheck:
    return FixityCheck(
        sweep_id=sweep.id,
        transfer_id=transfer.id,
        file_id=transfer.file_id,
        storage_location_id=transfer.storage_location_id,
        checked_at=NOON,
        outcome=FixityOutcome.MISSING,
        found=transfer.damage,
    )


@pytest.mark.parametrize("kind", CALLERS)
def test_every_answer_is_one_that_the_document_describes(
    service_url: str, known: Known, callers: dict[str, uuid.UUID], kind: str
) -> None:
    schema = schemathesis.openapi.from_url(f"{service_url}/schema/openapi.json")
    operations = [each.ok() for each in schema.get_all_operations()]
    operations.sort(key=lambda each: (each.path.endswith(LAST), ORDER.index(each.method.upper())))
    faults: list[str] = []
    with requests.Session() as session:
        for operation in operations:
            faults += _faults(operation, session, known, callers.get(kind))
    assert faults == [], "\n\n".join(faults)


def _faults(operation: APIOperation, session: requests.Session, known: Known, caller: uuid.UUID | None) -> list[str]:
    """What is wrong with the answers to examples of one operation."""
    cases = strategies.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode])

    @examples(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, exists=strategies.booleans())
    def ask(case: Case, exists: bool) -> None:
        _keep_to_our_own_folder(case, known["folder"])
        if exists:
            _lead_to_what_exists(case, known)
        # a token anew for each: some operations end the one that is shown
        headers = {"Authorization": f"Bearer {issue_token(caller, SECRET, 600)}"} if caller else {}
        case.call_and_validate(session=session, headers=headers, checks=CHECKS, allow_redirects=False)

    try:
        ask()
    except FailureGroup as group:
        return [f"{operation.label}: {failure}" for failure in group.exceptions]
    return []


def _lead_to_what_exists(case: Case, known: Known) -> None:
    for values, names in ((case.path_parameters, known.keys()), (case.body, known.keys() - {"name"})):
        if isinstance(values, dict):
            values.update({name: known[name] for name in values if name in names})


def _keep_to_our_own_folder(case: Case, folder: str) -> None:
    """Whoever enters a storage location has its folder made: not anywhere on this machine."""
    if isinstance(case.body, dict) and str(case.body.get("base_path", "")).startswith("/"):
        case.body["base_path"] = f"{folder}/{uuid.uuid4().hex}"
