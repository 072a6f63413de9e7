"""A small facility in which everything can be granted, and a model of who sees what that knows nothing of SQL."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import text

from streamweave.access.tokens import claims_of, csrf_token, issue_token
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    FileRecord,
    FixityCheck,
    FixityOutcome,
    Instrument,
    Scan,
    ScanOutcome,
    Transfer,
    User,
)
from streamweave.settings import Settings
from streamweave_api.app import create_app

Client = TestClient[Litestar]
Body = dict[str, Any]
Headers = dict[str, str]
Choice = TypeVar("Choice")

A_LONG_RUN_SECONDS = 86_400
NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)
# instrument, path, archived content, further values
FILES: list[tuple[int, str, bytes | None, Body]] = [
    (0, "share/a/x.csv", b"0,1\n", {"metadata_": {"sample": "cobalt"}}),
    (0, "share/a/b/x.tif", b"image", {"source_mtime": NOON + timedelta(days=1)}),
    (0, "share/ab/x.csv", b"0,1\n", {}),
    (0, "share/a%/ä.csv", b"0,1\n2,3\n", {"metadata_": {"sample": "cobalt"}}),
    (0, "share/a", None, {"size_bytes": 7}),
    (1, "share/a/x.csv", b"", {}),
    (1, "share/A/x.csv", b"0,1\n", {"source_mtime": NOON - timedelta(days=1)}),
    (1, "share/a_/x.csv", None, {"size_bytes": 5, "metadata_": {"sample": "iron"}}),
]
TWO_VERSIONS = 2  # the index of the file that has them
PEOPLE = ["by_token", "by_api_token", "by_cookie", "also_by_token"]
LABS = ["group 0", "group 1", "group 2"]
STUDIES = ["project 0", "project 1"]


@dataclass
class World:
    """Who belongs to what, and what is granted. Everything is an id; ``members`` are pairs of a whole and a part."""

    files: dict[str, Body]
    groups: list[str] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    members: set[tuple[str, str]] = field(default_factory=set)
    file_grants: set[tuple[str, str]] = field(default_factory=set)
    folder_grants: set[tuple[str, str, str]] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    admins: set[str] = field(default_factory=set)
    switched_off: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)  # who goes by which kind and name
    pending: set[tuple[str, tuple[str, str]]] = field(default_factory=set)

    def seen_by(self, user: str | None) -> set[str]:
        """The files that the user sees; nobody known sees none."""
        return set(self.files) if user in self.admins else self.opened_to(user) - self.withdrawn

    def opened_to(self, user: str | None) -> set[str]:
        """What the user would see if nothing were withdrawn."""
        if user in self.admins:
            return set(self.files)
        owned = {file_id for file_id, owner in self.owners.items() if owner == user}
        return owned.union(*(self.granted_to(grantee) for grantee in self.stands_for(user)))

    def stands_for(self, user: str | None) -> set[str]:
        """Everybody a grant to whom is one to the user."""
        if user is None:
            return set()
        groups = {whole for whole, part in self.members if part == user and whole in self.in_use(self.groups)}
        mine = {user} | groups
        return mine | {whole for whole, part in self.members if part in mine and whole in self.in_use(self.projects)}

    def in_use(self, rows: list[str]) -> set[str]:
        return set(rows) - self.deleted

    def granted_to(self, grantee: str) -> set[str]:
        by_file = {file_id for file_id, whom in self.file_grants if whom == grantee}
        places = [(instrument, prefix) for instrument, prefix, whom in self.folder_grants if whom == grantee]
        return by_file | {
            file_id
            for file_id, body in self.files.items()
            if any(body["instrument_id"] == place and lies_in(body["source_path"], folder) for place, folder in places)
        }

    def of_project(self, user: str | None, project: str) -> set[str]:
        """What the filter of a project's files finds, of all files."""
        known = self.in_use(self.projects) if user in self.admins else self.stands_for(user)
        return self.granted_to(project) if project in known else set()

    def called(self, name: tuple[str, str]) -> str | None:
        """Who goes by that name."""
        return next((each for each, own in self.names.items() if own == name and each not in self.deleted), None)

    def note(self, file_id: str, name: tuple[str, str]) -> None:
        """A hook shows a file to whoever goes by that name, be it later."""
        self.pending.add((file_id, name))
        self.settle()

    def settle(self) -> None:
        """What waited for a name goes to whoever has it."""
        for file_id, name in set(self.pending):
            if (grantee := self.called(name)) is not None:
                self.pending.remove((file_id, name))
                self.file_grants.add((file_id, grantee))

    def forget(self, somebody: str) -> None:
        """A user was removed for good, and with them all that was theirs."""
        self.names.pop(somebody, None)
        self.removed.add(somebody)
        self.members = {pair for pair in self.members if somebody not in pair}
        self.file_grants = {grant for grant in self.file_grants if grant[-1] != somebody}
        self.folder_grants = {grant for grant in self.folder_grants if grant[-1] != somebody}
        self.owners = {file_id: owner for file_id, owner in self.owners.items() if owner != somebody}
        self.admins.discard(somebody)


def lies_in(path: str, folder: str) -> bool:
    wanted = folder.split("/") if folder else []
    return path.split("/")[: len(wanted)] == wanted


@dataclass
class Stage:
    """The service with its files, and the people who ask it."""

    client: Client
    hiding: Client  # the same, with private identifiers hidden
    sessions: Sessions
    secret: str
    admin: Headers
    admin_id: str
    instruments: list[str]
    files: dict[str, Body] = field(default_factory=dict)
    transfers: dict[str, Body] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)  # ids by what they show to be recognised
    answers: dict[tuple[Any, ...], Any] = field(default_factory=dict)  # what an admin was told in this world
    chance: Random = field(default_factory=partial(Random, 0))

    def begin(self) -> World:
        """Forget all people, groups, projects and grants, and make new ones who see nothing."""
        with self.sessions.begin() as session:
            session.execute(text("TRUNCATE groups, projects, file_grants, instrument_grants, pending_grants CASCADE"))
            session.query(User).filter(User.id.in_([uuid.UUID(each) for each in self.people.values()])).delete()
            nobodys = {"owner_id": None, "withdrawn_at": None, "withdrawn_reason": None, "withdrawn_by_id": None}
            session.query(FileRecord).update(nobodys)
            session.query(Instrument).update({"deleted_at": None})
            users = [User(email=f"{name}@test.org", password_hash="none", is_verified=True) for name in PEOPLE]
            session.add_all(users)
            session.flush()
            self.people = {name: str(user.id) for name, user in zip(PEOPLE, users, strict=True)}
        self.answers.clear()
        world = World({file_id: dict(body) for file_id, body in self.files.items()})
        world.groups = [self.ask("POST", "/api/groups", name=name)["id"] for name in LABS]
        world.projects = [self.ask("POST", "/api/projects", name=name)["id"] for name in STUDIES]
        world.admins = {self.admin_id}
        rows = [(world.groups, "group", LABS), (world.projects, "project", STUDIES)]
        world.names = {each: (kind, name) for ids, kind, names in rows for each, name in zip(ids, names, strict=True)}
        world.names |= {user: ("user", f"{name}@test.org") for name, user in self.people.items()}
        return world

    def ask(self, method: str, path: str, *, status: int | None = None, **body: Any) -> Any:
        """What an admin is answered: with that status if it is given, else any good one."""
        answer = self.client.request(method, path, json=body or None, headers=self.admin)
        assert answer.status_code == status if status else answer.is_success, answer.text
        return answer.json() if answer.content else None

    def view(self, world: World, name: str | None) -> "View":
        """What the service shows to one of the people, or to somebody unknown."""
        return View(self, world, self.people[name], self.headers_of(name)) if name else View(self, world, None, {})

    def headers_of(self, name: str) -> Headers:
        """What somebody shows: a login's token, a cookie, or an API token for reading; none that counts once gone."""
        with self.sessions() as session:
            user = session.get(User, uuid.UUID(self.people[name]))
            version = user.token_version if user else 0
        token = issue_token(uuid.UUID(self.people[name]), self.secret, 600, version)
        bearer = {"Authorization": f"Bearer {token}"}
        if name == "by_cookie":
            forged_not = csrf_token(claims_of(token, self.secret), self.secret)
            return {"Cookie": f"streamweave_login={token}", "X-CSRF-Token": forged_not}
        if name == "by_api_token":
            made = self.client.post("/api/tokens", json={"name": "notebook"}, headers=bearer)
            return {"Authorization": f"Bearer {made.json().get('token', 'swt_none')}"}
        return bearer


@dataclass
class View:
    """What the service shows to one person. ``user`` is None for somebody unknown."""

    stage: Stage
    world: World
    user: str | None
    headers: Headers

    @property
    def seen(self) -> set[str]:
        """The ids of the files that they are to see."""
        return self.world.seen_by(self.user)

    @property
    def bodies(self) -> list[Body]:
        """Those files as an admin sees them."""
        return [self.world.files[file_id] for file_id in self.seen]

    def as_admin(self) -> "View":
        return View(self.stage, self.world, self.stage.admin_id, self.stage.admin)

    def admin_is_told(self, path: str, method: str = "GET", headers: Headers | None = None) -> Any:
        """What an admin is answered there, asked once in each world that is looked at."""
        key = (path, method, *(headers or {}).items())
        if key not in self.stage.answers:
            self.stage.answers[key] = self.as_admin().ask(path, method, headers)
        return self.stage.answers[key]

    def some(self, choices: Sequence[Choice], number: int = 1) -> list[Choice]:
        """So many of them, by chance: asked everything of everything, the service would take too long."""
        return self.stage.chance.sample(choices, number)

    def ask(self, path: str, method: str = "GET", headers: Headers | None = None, **options: Any) -> Any:
        shown = {**self.headers, **(headers or {})}
        return self.stage.client.request(method, path, headers=shown, follow_redirects=False, **options)

    def listed(self, path: str, **query: Any) -> list[Body]:
        """A whole list, from its pages of three."""
        answer = self.ask(path, params={**query, "limit": 3})
        rows: list[Body] = answer.json()
        while "next" in answer.links:
            assert len(answer.json()) == 3
            answer = self.ask(answer.links["next"]["url"])
            rows += answer.json()
        return rows


@pytest.fixture
def stage(settings: Settings, client: Client, admin: Headers, shelf: Any, sessions: Sessions) -> Iterator[Stage]:
    """The service with all files, archived where they have content, and nobody who sees them yet."""
    values = {"name": "Diffractometer", "cifs_host": "diffractometer", "cifs_share": "share"}
    second = client.post("/api/instruments", json=values, headers=admin).json()
    shelves = [shelf, replace(shelf, instrument=second)]
    ids = [shelves[number].put(path, content, **more) for number, path, content, more in FILES]
    shelf.add_version(ids[TWO_VERSIONS], b"9,9\n", 2)
    instruments = [shelf.instrument["id"], second["id"]]
    with sessions.begin() as session:
        session.add_all(
            Scan(instrument_id=uuid.UUID(each), started_at=NOON + timedelta(days=1), outcome=ScanOutcome.COMPLETE)
            for each in instruments
        )
        copies = [(each.id, each.file_id, each.storage_location_id) for each in session.query(Transfer)]
        intact = {"sweep_id": uuid.uuid4(), "checked_at": NOON + timedelta(days=1), "outcome": FixityOutcome.INTACT}
        session.add_all(
            FixityCheck(transfer_id=copy, file_id=file_id, storage_location_id=location, **intact)
            for copy, file_id, location in copies
        )
    del client.headers["Authorization"]
    with TestClient(create_app(settings.model_copy(update={"private_identifiers": "hidden"}))) as hiding:
        secret = settings.secret_key.get_secret_value()
        admin_id = client.get("/users/me", headers=admin).json()["id"]
        # a long run of random worlds outlives an ordinary login
        admin = {"Authorization": f"Bearer {issue_token(uuid.UUID(admin_id), secret, A_LONG_RUN_SECONDS)}"}
        stage = Stage(client, hiding, sessions, secret, admin, admin_id, instruments)
        stage.files = {body["id"]: body for body in stage.ask("GET", "/api/files?limit=1000")}
        stage.transfers = {body["id"]: body for body in stage.ask("GET", "/api/transfers?limit=1000")}
        yield stage
