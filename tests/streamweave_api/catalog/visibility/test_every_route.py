"""Who sees what, on every route that could reveal a file: random worlds over HTTP, held against a model.

What one may see is answered as it is to an admin. What one may not see is answered as what doesn't exist: the same
status, body and headers.
"""

import io
import os
import re
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.routes import HTTPRoute

from streamweave import ark
from streamweave.access.grants import NamedGrantee, assign_access
from streamweave.catalog.tables import GranteeType

Body = dict[str, Any]
Headers = dict[str, str]

IN_THE_SUITE = 4
# a long run has other worlds each time
WORLDS = int(os.environ.get("RANDOM_WORLDS", IN_THE_SUITE))
SOME = 3
PREFIXES = ["", "share", "share/a", "share/a/b", "share/a%", "share/a_", "share/a/x.csv", "shar"]
SORTS = ["first_discovered_at", "source_path", "size_bytes", "source_mtime"]
BOTH_WAYS = [way + sort for sort in SORTS for way in ("", "-")]
PRIVATE = {"detail": "This identifier exists; its file is private"}
NOT_FOUND = {"detail": "File not found"}
CONDITIONS: list[Headers] = [
    {},
    {"Range": "bytes=1-2"},
    {"Range": "bytes=99-"},
    {"If-None-Match": "*"},
    {"If-Match": '"other"'},
]
JSON_LD = {"Accept": "application/ld+json"}
WAYS_TO_RESOLVE: list[tuple[str, Headers]] = [("", {}), ("?info", {}), (".v1", {}), (".v9", {}), ("", JSON_LD)]


def told(answer: Any) -> tuple[Any, ...]:
    """All that an answer tells."""
    return answer.status_code, answer.content, sorted(answer.headers.multi_items())


def check_files(view: Any) -> None:
    bodies = view.bodies
    for sort in view.some(BOTH_WAYS, SOME):
        key = sort.removeprefix("-")
        in_order = sorted(bodies, key=lambda body: (place_of(body, key), body["id"]), reverse=sort.startswith("-"))
        assert [row["id"] for row in view.listed("/api/files", sort=sort)] == [body["id"] for body in in_order], sort
    assert len(view.ask("/api/files").json()) == len(bodies)
    for (query, passes), sort in zip(filters(view), cycle(BOTH_WAYS), strict=False):
        found = {body["id"] for body in bodies if passes(body)}
        assert {row["id"] for row in view.listed("/api/files", sort=sort, **query)} == found, query
        counted = view.ask("/api/files", params={**query, "count": True, "limit": 1})
        assert counted.headers["X-Total-Count"] == str(len(found)), query
        assert ("Link" in counted.headers) == (len(found) > 1)


def place_of(body: Body, key: str) -> Any:
    return f"{body[key]}/".encode() if key == "source_path" else body[key]


def filters(view: Any) -> Iterator[tuple[Body, Callable[[Body], bool]]]:
    """Queries, and whether a file passes them."""
    world = view.world
    for instrument in view.stage.instruments:
        yield {"instrument_id": instrument}, lambda body, it=instrument: body["instrument_id"] == it
    for owner in view.stage.people.values():
        yield {"owner_id": owner}, lambda body, it=owner: world.owners.get(body["id"]) == it
    for project in [*world.projects, str(uuid.uuid4())]:
        yield {"project_id": project}, lambda body, it=project: body["id"] in world.of_project(view.user, it)
    for state in ("archived", "settling"):
        yield {"state": state}, lambda body, it=state: body["state"] == it
    yield {"extension": "csv"}, lambda body: body["filename"].endswith(".csv")
    yield {"metadata.sample": "cobalt"}, lambda body: body["metadata_"].get("sample") == "cobalt"
    yield {"min_size": 5}, lambda body: body["size_bytes"] >= 5
    yield {"max_size": 4}, lambda body: body["size_bytes"] <= 4
    yield {"acquired_from": "2026-02-24T13:00:00Z"}, lambda body: body["source_mtime"] > "2026-02-24T13"
    yield {"acquired_to": "2026-02-24T12:00:00Z"}, lambda body: body["source_mtime"] < "2026-02-24T12"
    yield {"q": "a csv"}, lambda body: {"a", "csv"} <= set(words(body))
    yield {"q": "cobalt", "state": "archived"}, lambda body: body["metadata_"].get("sample") == "cobalt"


def words(body: Body) -> list[str]:
    path: str = body["source_path"].lower()
    return path.translate(str.maketrans("/_.%", "    ")).split()


def check_transfers(view: Any) -> None:
    seen = {key: body for key, body in view.stage.transfers.items() if body["file_id"] in view.seen}
    queries: list[Body] = [{}, {"status": "completed"}, {"status": "failed"}]
    queries += [{"file_id": file_id} for file_id in view.some(list(view.world.files), SOME)]
    queries += [{"instrument_id": instrument} for instrument in view.stage.instruments]
    for query in queries:
        rows = view.listed("/api/transfers", **query)
        expected = {key for key, body in seen.items() if passes(view, body, query)}
        assert (len(rows), {row["id"] for row in rows}) == (len(expected), expected), query


def passes(view: Any, transfer: Body, query: Body) -> bool:
    instrument = view.world.files[transfer["file_id"]]["instrument_id"]
    return all({**transfer, "instrument_id": instrument}[name] == value for name, value in query.items())


def check_transfer(view: Any) -> None:
    absent = told(view.ask(f"/api/transfers/{uuid.uuid4()}"))
    for transfer_id, body in view.some(list(view.stage.transfers.items()), SOME):
        answer = view.ask(f"/api/transfers/{transfer_id}")
        if body["file_id"] in view.seen:
            assert (answer.status_code, answer.json()) == (200, body)
        else:
            assert told(answer) == absent


def check_part(template: str, view: Any, method: str = "GET", conditions: Sequence[Headers] = ({},)) -> None:
    """One file, or what lies below it."""
    for file_id in view.some(list(view.world.files), SOME):
        (headers,), path = view.some(conditions), template.format(file_id=file_id)
        answer = view.ask(path, method, headers)
        if file_id in view.seen:
            assert answer.status_code in (200, 206, 304, 409, 412, 416), answer.text
            assert told(answer) == told(view.admin_is_told(path, method, headers))
        else:
            assert answer.status_code == 404
            assert told(answer) == told(view.ask(template.format(file_id=uuid.uuid4()), method, headers))


def check_certificate(view: Any) -> None:
    """Each certificate has an id and a time of its own; what it says of the file is the same for everybody."""
    path = f"{FILE}/certificate"
    for file_id in view.some(list(view.world.files), SOME):
        answer = view.ask(path.format(file_id=file_id))
        if file_id in view.seen:
            admins = view.admin_is_told(path.format(file_id=file_id))
            assert answer.status_code == admins.status_code == 200, answer.text
            assert answer.json()["certificate"]["file"] == admins.json()["certificate"]["file"]
        else:
            assert told(answer) == told(view.ask(path.format(file_id=uuid.uuid4())))
            assert answer.status_code == 404


def check_archive(view: Any) -> None:
    packed = [body["id"] for body in view.bodies if body["state"] == "archived"]

    def ask(ids: list[str], **query: Any) -> Any:
        return view.ask("/api/files/archive", "POST", params=query, json={"file_ids": ids})

    if packed:
        assert len(names_in(ask(packed))) == len(packed)
    absent = told(ask([*packed, str(uuid.uuid4())]))
    assert absent[0] == 404
    for file_id in set(view.some(list(view.world.files), SOME)) - view.seen:
        assert told(ask([*packed, file_id])) == told(ask([file_id, *packed])) == absent
    for instrument in view.stage.instruments:
        paths = [view.world.files[each]["source_path"] for each in packed if is_of(view, each, instrument)]
        answer = ask([], instrument_id=instrument)
        if paths:
            assert sorted(names_in(answer)) == sorted(path.replace("%", "%25") for path in paths)
        else:
            assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def names_in(answer: Any) -> list[str]:
    """The paths in a ZIP, without the instruments' folders that stand before those that look alike."""
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        return [name[name.index("share/") :] for name in packed.namelist()]


def is_of(view: Any, file_id: str, instrument: str) -> bool:
    return bool(view.world.files[file_id]["instrument_id"] == instrument)


def check_summary(view: Any) -> None:
    answer = view.ask("/api/summary?from_day=2026-02-01&to_day=2026-02-28").json()
    bodies = view.bodies
    files = Counter((body["instrument_id"], body["acquisition_day"]) for body in bodies)
    sizes: Counter[tuple[str, str]] = Counter()
    for body in bodies:
        sizes[body["instrument_id"], body["acquisition_day"]] += body["size_bytes"]
    days = {(day["instrument_id"], day["day"]): (day["files"], day["bytes"]) for day in answer["days"]}
    assert days == {key: (number, sizes[key]) for key, number in files.items()}
    assert {state["state"]: state["files"] for state in answer["states"]} == Counter(body["state"] for body in bodies)
    for state in answer["states"]:
        since = min(body["state_since"] for body in bodies if body["state"] == state["state"])
        assert state["oldest_since"] == since


def check_identifier(label: str, view: Any, method: str = "GET") -> None:
    """A private identifier exists and no more; or not even that, where the facility hides it."""
    opened = view.world.opened_to(view.user)
    for file_id, body in view.some(list(view.world.files.items()), SOME):
        ((suffix, headers),) = view.some(WAYS_TO_RESOLVE)
        path = f"/{label}{body['persistent_id'].removeprefix('ark:/')}{suffix}"
        answer = view.ask(path, method, headers)
        if file_id in view.seen:
            assert told(answer) == told(view.admin_is_told(path, method, headers))
        elif file_id in opened:
            assert answer.status_code == (404 if suffix == ".v9" else 410)
        else:
            assert (answer.status_code, "Link" in answer.headers) == (403, False)
            assert method == "HEAD" or answer.json() == PRIVATE
            absent = hidden_answer(view, f"/{label}{unknown_name()}{suffix}", method, headers)
            assert hidden_answer(view, path, method, headers) == absent


def hidden_answer(view: Any, path: str, method: str, headers: Headers) -> tuple[Any, ...]:
    return told(view.stage.hiding.request(method, path, headers={**view.headers, **headers}, follow_redirects=False))


def unknown_name() -> str:
    return ark.mint("99999", "fk4").removeprefix("ark:/")


FILE = "/api/files/{file_id}"
# what could reveal a file, and what holds it against the model
REVEALING: dict[str, Callable[[Any], None]] = {
    "GET /api/files": check_files,
    "GET /api/transfers": check_transfers,
    "GET /api/transfers/{transfer_id}": check_transfer,
    "GET /api/summary": check_summary,
    "POST /api/files/archive": check_archive,
    f"GET {FILE}": partial(check_part, FILE),
    f"GET {FILE}/versions": partial(check_part, f"{FILE}/versions"),
    f"GET {FILE}/versions/{{number}}": partial(check_part, f"{FILE}/versions/1"),
    f"GET {FILE}/transfers": partial(check_part, f"{FILE}/transfers"),
    f"GET {FILE}/scans": partial(check_part, f"{FILE}/scans"),
    f"GET {FILE}/history": partial(check_part, f"{FILE}/history"),
    f"GET {FILE}/fixity": partial(check_part, f"{FILE}/fixity"),
    f"GET {FILE}/certificate": check_certificate,
    f"GET {FILE}/content": partial(check_part, f"{FILE}/content", conditions=CONDITIONS),
    f"HEAD {FILE}/content": partial(check_part, f"{FILE}/content", method="HEAD", conditions=CONDITIONS),
    f"GET {FILE}/versions/{{number}}/content": partial(check_part, f"{FILE}/versions/1/content", conditions=CONDITIONS),
    f"HEAD {FILE}/versions/{{number}}/content": partial(
        check_part, f"{FILE}/versions/1/content", method="HEAD", conditions=CONDITIONS
    ),
    "GET /ark:/{name}": partial(check_identifier, "ark:/"),
    "HEAD /ark:/{name}": partial(check_identifier, "ark:/", method="HEAD"),
    "GET /{label}/{name}": partial(check_identifier, "ark:"),
    "HEAD /{label}/{name}": partial(check_identifier, "ARK:", method="HEAD"),
}
# what speaks of no file, and why
HARMLESS = {
    "who comes in, and nothing else": [
        "POST /auth/jwt/login",
        "POST /auth/cookie/login",
        "POST /auth/jwt/logout",
        "POST /auth/cookie/logout",
        "POST /users/me/password",
        "POST /auth/forgot-password",
        "POST /auth/reset-password",
        "POST /auth/request-verify-token",
        "POST /auth/verify",
        "POST /auth/register",
        "GET /users/me",
    ],
    "one's own tokens": ["GET /api/tokens", "POST /api/tokens", "DELETE /api/tokens/{token_id}"],
    "one's own requests for instruments": [
        "GET /api/instrument-requests",
        "POST /api/instrument-requests",
        "GET /api/instrument-requests/{request_id}",
    ],
    "what one was told oneself, when one might know it": [
        "GET /api/notifications",
        "POST /api/notifications/{notification_id}/read",
        "POST /api/notifications/read-all",
        "DELETE /api/notifications/{notification_id}",
    ],
    "the same for everybody": [
        "GET /health",
        "GET /api/certificates/key",
        "GET /schema",
        "GET /schema/swagger",
        "GET /schema/{path}",
        "GET /schema/openapi.json",
        "GET /",
        "GET /schema/assets/{name}",
    ],
}


def operations(app: Litestar) -> set[str]:
    """Every method of every path."""
    return {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path)}"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods - {"OPTIONS"}
    }


def test_every_route_is_held_against_the_model_or_can_not_reveal_a_file(stage: Any) -> None:
    harmless = [operation for listed in HARMLESS.values() for operation in listed]
    every = operations(stage.client.app)
    assert every >= {*REVEALING, *harmless}
    view = stage.view(stage.begin(), "by_token")
    for operation in every - {*REVEALING, *harmless}:
        for known in (next(iter(stage.files)), str(uuid.uuid4())):
            method, path = operation.split()
            answer = view.ask(re.sub(r"{[a-z_]+}", known, path), method, json={})
            assert (answer.status_code, answer.json()) == (403, {"detail": "Admin access required"}), operation


def check_view(view: Any) -> None:
    if view.user is None or view.user in view.world.switched_off | view.world.removed:
        check_shut_out(view)
        return
    for check in REVEALING.values():
        check(view)


def check_shut_out(view: Any) -> None:
    """Who isn't known is told no more than that; by a wrong token not even that an identifier exists."""
    names = {"number": 1, "label": "ark:", "name": next(iter(view.world.files.values()))["persistent_id"][5:]}
    for operation in REVEALING:
        method, path = operation.split()
        for known in [*view.world.files, *view.stage.transfers][::5]:
            answer = view.ask(path.format(file_id=known, transfer_id=known, **names), method)
            if path.startswith("/api") or "Authorization" in view.headers:
                assert answer.status_code == 401
                assert method == "HEAD" or answer.json() == {"detail": "Unauthorized"}
    if "Authorization" not in view.headers:
        check_identifier("ark:/", replace(view, user=None))


REMOVABLE = 3  # of the people

numbers = st.integers(0, 11)
kinds = st.sampled_from(["user", "group", "project"])
wholes = st.sampled_from(["group", "project"])


CHANGES: list[st.SearchStrategy[tuple[Callable[..., None], Body]]] = []


def change(**arguments: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks what may happen, with what its arguments are drawn from."""

    def marked(happen: Callable[..., None]) -> Callable[..., None]:
        CHANGES.append(st.tuples(st.just(happen), st.fixed_dictionaries(arguments)))
        return happen

    return marked


class Facility:
    """People come, belong together and go; files are granted and taken back. All of it over HTTP, as admins do it."""

    def __init__(self, stage: Any) -> None:
        self.stage, self.world = stage, stage.begin()

    def row(self, kind: str, number: int) -> str:
        rows = {"user": list(self.stage.people.values()), "group": self.world.groups, "project": self.world.projects}
        rows |= {"file": list(self.world.files), "instrument": self.stage.instruments}
        return str(rows[kind][number % len(rows[kind])])

    def is_there(self, row: str) -> bool:
        return row not in self.world.deleted | self.world.removed

    def toggle_grant(self, path: str, grants: set[Any], grant: tuple[str, ...], **body: str) -> None:
        """Take a grant back, or else give it."""
        if grant in grants:
            rows = self.stage.ask("GET", f"{path}?limit=1000")
            (row,) = (row for row in rows if all(row[name] == value for name, value in body.items()))
            self.stage.ask("DELETE", f"{path}/{row['id']}")
            grants.remove(grant)
        elif self.is_there(grant[-1]):
            self.stage.ask("POST", path, status=201, **body)
            grants.add(grant)
        else:
            self.stage.ask("POST", path, status=422, **body)

    @change(file=numbers, kind=kinds, number=numbers)
    def grant_a_file(self, file: int, kind: str, number: int) -> None:
        file_id, grantee = self.row("file", file), self.row(kind, number)
        body = {"grantee_type": kind, "grantee_id": grantee}
        self.toggle_grant(f"/api/files/{file_id}/access", self.world.file_grants, (file_id, grantee), **body)

    @change(instrument=numbers, prefix=st.sampled_from(PREFIXES), kind=kinds, number=numbers)
    def grant_a_folder(self, instrument: int, prefix: str, kind: str, number: int) -> None:
        place, grantee = self.row("instrument", instrument), self.row(kind, number)
        body: Body = {"grantee_type": kind, "grantee_id": grantee, "path_prefix": prefix or None}
        path = f"/api/instruments/{place}/access"
        if place in self.world.deleted:
            self.stage.ask("POST", path, status=404, **body)
        else:
            self.toggle_grant(path, self.world.folder_grants, (place, prefix, grantee), **body)

    @change(
        kind=st.sampled_from(["group", "project"]), whole=numbers, of=st.sampled_from(["user", "group"]), part=numbers
    )
    def let_belong(self, kind: str, whole: int, of: str, part: int) -> None:
        pair = self.row(kind, whole), self.row("user" if kind == "group" else of, part)
        path = f"/api/{kind}s/{pair[0]}/members"
        body = {"user_id": pair[1]} if kind == "group" else {"member_type": of, "member_id": pair[1]}
        if pair[0] in self.world.deleted:
            self.stage.ask("POST", path, status=404, **body)
        elif pair in self.world.members:
            self.stage.ask("DELETE", f"{path}/{pair[1]}")
            self.world.members.remove(pair)
        elif self.is_there(pair[1]):
            self.stage.ask("POST", path, status=201, **body)
            self.world.members.add(pair)
        else:
            self.stage.ask("POST", path, status=422, **body)

    @change(kind=st.sampled_from(["group", "project", "instrument"]), number=numbers)
    def delete_or_restore(self, kind: str, number: int) -> None:
        row = self.row(kind, number)
        if row not in self.world.deleted:
            self.stage.ask("DELETE", f"/api/{kind}s/{row}")
            self.world.deleted.add(row)
        elif kind != "instrument" and self.world.called(self.world.names[row]) is not None:
            self.stage.ask("POST", f"/api/{kind}s/{row}/restore", status=409)
        else:
            self.stage.ask("POST", f"/api/{kind}s/{row}/restore")
            self.world.deleted.remove(row)
            self.world.settle()

    @change(kind=wholes, number=numbers, name=st.sampled_from(["Awaited", "group 0"]))
    def rename(self, kind: str, number: int, name: str) -> None:
        row = self.row(kind, number)
        path, holder = f"/api/{kind}s/{row}", self.world.called((kind, name))
        if row in self.world.deleted:
            self.stage.ask("PATCH", path, status=404, name=name)
        elif holder not in (None, row):
            self.stage.ask("PATCH", path, status=409, name=name)
        else:
            self.stage.ask("PATCH", path, name=name)
            self.world.names[row] = (kind, name)
            self.world.settle()

    @change(file=numbers, kind=kinds, name=st.sampled_from(["Awaited", "group 0", "by_token@test.org"]))
    def note_a_grant(self, file: int, kind: str, name: str) -> None:
        """What the hook ``access_assignment`` does."""
        file_id = self.row("file", file)
        with self.stage.sessions.begin() as session:
            assign_access(session, {uuid.UUID(file_id): [NamedGrantee(GranteeType(kind), name.upper())]})
        self.world.note(file_id, (kind, name))

    @change(file=numbers, owner=st.none() | numbers)
    def give_away(self, file: int, owner: int | None) -> None:
        file_id, user = self.row("file", file), None if owner is None else self.row("user", owner)
        if user in self.world.removed:
            self.stage.ask("PATCH", f"/api/files/{file_id}", status=422, owner_id=user)
            return
        self.stage.ask("PATCH", f"/api/files/{file_id}", owner_id=user)
        self.world.owners.pop(file_id, None)
        self.world.owners |= {} if user is None else {file_id: user}

    @change(file=numbers)
    def withdraw_or_reinstate(self, file: int) -> None:
        file_id = self.row("file", file)
        method, body = ("DELETE", {}) if file_id in self.world.withdrawn else ("POST", {"reason": "mislabelled"})
        self.stage.ask(method, f"/api/files/{file_id}/withdraw", **body)
        self.world.withdrawn ^= {file_id}

    @change(number=numbers, change=st.sampled_from(["is_active", "is_verified", "role", "removed"]))
    def change_somebody(self, number: int, change: str) -> None:
        world, user, path = self.world, self.row("user", number), f"/api/users/{self.row('user', number)}"
        if user in world.removed:
            self.stage.ask("PATCH", path, status=404, is_active=True)
        elif change == "is_active":
            self.stage.ask("PATCH", path, is_active=user in world.switched_off)
            world.switched_off ^= {user}
        elif change == "role":
            self.stage.ask("PATCH", path, role="user" if user in world.admins else "admin")
            world.admins ^= {user}
        elif change == "is_verified":
            self.stage.ask("PATCH", path, is_verified=user not in world.names)
            if world.names.pop(user, None) is None:
                name = next(name for name, each in self.stage.people.items() if each == user)
                world.names[user] = ("user", f"{name}@test.org")
            world.settle()
        elif number == REMOVABLE:
            self.stage.ask("DELETE", path)
            world.forget(user)

    def check(self) -> None:
        """In the world that it came to, everybody is answered on every route as the model says."""
        somebody_unknown = self.stage.view(self.world, None)
        people = [self.stage.view(self.world, name) for name in self.stage.people]
        for view in [*people, somebody_unknown, somebody_unknown.as_admin()]:
            check_view(view)


@settings(
    max_examples=WORLDS,
    phases=[Phase.generate],  # each example takes seconds: nobody would wait for smaller ones
    derandomize=WORLDS == IN_THE_SUITE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(changes=st.lists(st.one_of(CHANGES), min_size=30, max_size=50), chance=st.integers(0, 2**32))
def test_everybody_sees_on_every_route_what_is_theirs_and_nothing_else(
    stage: Any, changes: list[tuple[Callable[..., None], Body]], chance: int
) -> None:
    facility = Facility(stage)
    for happen, arguments in changes:
        happen(facility, **arguments)
    stage.chance.seed(chance)
    facility.check()
