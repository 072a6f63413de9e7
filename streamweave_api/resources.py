"""The routes of what admins configure: each kind of resource can be listed, created, shown, changed, deleted, restored.

``Resource`` says what differs. The handlers' annotations ``New``, ``Changes``, ``Shown`` and ``Id`` stand for the
resource's own types: Litestar finds these in the router's ``signature_namespace``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler, Method
from litestar.types.internal_types import PathParameterDefinition
from sqlalchemy.orm import Session

from streamweave.catalog.deletion import Configured, in_order_of_creation, present
from streamweave_api.auth import admin_only
from streamweave_api.bodies import Incoming, Outgoing, given, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import Service, TheService

IncludeDeleted = Annotated[bool, QueryParameter(description="Whether to list what is deleted, too")]
New: TypeAlias = Incoming
Changes: TypeAlias = Incoming
Shown: TypeAlias = Outgoing
Id: TypeAlias = UUID

Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What is configured: its ``name`` in the singular, its bodies, and the core's functions behind its routes.

    ``parameter`` is the name of the id in paths. ``body_maker`` makes what shows a row; without it the ``body`` has the
    row's attributes. ``in_dagster`` says that Dagster's code location is made from the rows. The last four describe
    routes where there is more to say than for every resource.
    """

    name: str
    parameter: str
    new: type[Incoming]
    changes: type[Incoming]
    body: type[Outgoing]
    table: type[Configured]
    create: Callable[[Service, Session, Values], Any]
    update: Callable[[Service, Session, UUID, Values], Any]
    delete: Callable[[Session, UUID], None]
    restore: Callable[[Service, Session, UUID], Any]
    body_maker: Callable[[Service, Session], Callable[[Any], Outgoing]] | None = None
    in_dagster: bool = False
    creation: str = ""
    change: str = "Change the fields that are given."
    deletion: str = ""
    restoration: str = ""

    def shows(self, service: Service, session: Session) -> Callable[[Any], Outgoing]:
        """What makes a body from a row."""
        return self.body_maker(service, session) if self.body_maker else partial(shown, body=self.body)

    def changed(self, service: Service) -> None:
        """Have Dagster see a change that was committed."""
        if self.in_dagster:
            service.location_reload.request()

    @property
    def one(self) -> str:
        """The name with its article."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"


def documented(name: str, summary: str, description: str, suffix: str = "") -> dict[str, Any]:
    """What a handler of the resource ``name`` is decorated with. The ``operationId`` ends with the name and suffix."""

    def operation_id(handler: HTTPRouteHandler, method: Method, path: list[str | PathParameterDefinition]) -> str:
        usual = OpenAPIConfig.operation_id_creator(handler, method, path)
        return f"{usual}{name.title().replace(' ', '')}{suffix}"

    return {"sync_to_thread": True, "operation_id": operation_id, "summary": summary, "description": description}


def resource_router(path: str, tag: str, resource: Resource, *others: ControllerRouterHandler, **types: Any) -> Router:
    """The resource's routes and ``others``, for admins; ``types`` are what the others' annotations stand for."""
    id_type = Annotated[UUID, PathParameter(name=resource.parameter)]
    namespace = {"New": resource.new, "Changes": resource.changes, "Shown": resource.body, "Id": id_type, **types}
    return Router(
        path,
        route_handlers=[*_reading(resource), *_changing(resource), *_deleting(resource), *others],
        guards=[admin_only],
        tags=[tag],
        signature_namespace=namespace,
    )


def _reading(resource: Resource) -> list[ControllerRouterHandler]:
    name, path = resource.name, f"/{{{resource.parameter}:uuid}}"

    @get("/", **documented(name, f"List {name}s", f"All {name}s in order of creation.", "s"))
    def list_(service: TheService, page: PageAsked, include_deleted: IncludeDeleted = False) -> Response[list[Shown]]:
        with service.reading() as session:
            rows = in_order_of_creation(session, resource.table, page, include_deleted=include_deleted)
            return page.response(rows, resource.shows(service, session))

    @get(path, **documented(name, f"Show {resource.one}", f"One {name}."))
    def show(service: TheService, row_id: Id) -> Shown:
        with service.reading() as session:
            return resource.shows(service, session)(present(session, resource.table, row_id, name.capitalize()))

    return [list_, show]


def _changing(resource: Resource) -> list[ControllerRouterHandler]:
    name, path = resource.name, f"/{{{resource.parameter}:uuid}}"
    creation = resource.creation or f"A new {name}{'; Dagster shows it soon after' if resource.in_dagster else ''}."

    @post("/", **documented(name, f"Create {resource.one}", creation))
    def add(service: TheService, data: JSONBody[New]) -> Shown:
        with service.sessions.begin() as session:
            created = resource.shows(service, session)(resource.create(service, session, given(data)))
        resource.changed(service)
        return created

    @patch(path, **documented(name, f"Change {resource.one}", resource.change))
    def change(service: TheService, row_id: Id, data: JSONBody[Changes]) -> Shown:
        with service.sessions.begin() as session:
            changed = resource.shows(service, session)(resource.update(service, session, row_id, given(data)))
        resource.changed(service)
        return changed

    return [add, change]


def _deleting(resource: Resource) -> list[ControllerRouterHandler]:
    name, path = resource.name, f"/{{{resource.parameter}:uuid}}"
    deletion = resource.deletion or f"Delete {resource.one}; it can be restored."

    @delete(path, **documented(name, f"Delete {resource.one}", deletion))
    def remove(service: TheService, row_id: Id) -> None:
        with service.sessions.begin() as session:
            resource.delete(session, row_id)
        resource.changed(service)

    restoration = resource.restoration or f"Restore a deleted {name}."

    @post(f"{path}/restore", status_code=200, **documented(name, f"Restore {resource.one}", restoration))
    def bring_back(service: TheService, row_id: Id) -> Shown:
        with service.sessions.begin() as session:
            restored = resource.shows(service, session)(resource.restore(service, session, row_id))
        resource.changed(service)
        return restored

    return [remove, bring_back]
