"""The document as it is served: Litestar's, completed with schemas, examples, headers, credentials and descriptions.

The schemas of bodies follow the core's rules as far as a JSON Schema can express them. Examples are at every place of
the document where a body goes in or out.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.metadata import version
from inspect import cleandoc
from typing import Any

import yaml
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, OpenAPI, SecurityRequirement, SecurityScheme, Tag
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from msgspec import Struct
from pydantic.json_schema import models_json_schema

from streamweave.access import grants, groups, tokens, users
from streamweave.alerts import alerts
from streamweave.files import commands as files
from streamweave.hooks import configuration as hooks
from streamweave.hooks import trial
from streamweave.hooks.base import HookConfig
from streamweave.hooks.builtin import AccessAssignmentConfig, FileFilterConfig, MetadataEnrichmentConfig
from streamweave.hooks.configuration import BUILTINS
from streamweave.hooks.external_hook import ScriptConfig, WebhookConfig
from streamweave.instruments import fields as instruments
from streamweave.instruments import requests, schedules, service_accounts
from streamweave.storage import locations
from streamweave.validation import Rule, schema_of
from streamweave_api.auth import (
    CSRF_COOKIE,
    CSRF_HEADER,
    LOGIN_COOKIE,
    LOGIN_OPTIONAL,
    OPEN_TO_ALL,
    SAFE_METHODS,
    login_only,
)
from streamweave_api.bodies import Incoming, Outgoing
from streamweave_api.logins import Login
from streamweave_api.openapi.answers import NOUNS, headers_of
from streamweave_api.openapi.swagger import SwaggerPage, schema_router

Part = dict[str, Any]

REFERENCE = "#/components/schemas/"
RECORD, LINKED_DATA = "text/plain", "application/ld+json"

SCHEMES = {
    "login": SecurityScheme(
        type="http",
        scheme="bearer",
        bearer_format="JWT",
        description="The `access_token` of `POST /auth/jwt/login`, as `Authorization: Bearer …`.",
    ),
    "api_token": SecurityScheme(
        type="http",
        scheme="bearer",
        bearer_format="swt_…",
        description="A personal token of `POST /api/tokens`, for programs: `Authorization: Bearer swt_…`.",
    ),
    "cookie": SecurityScheme(
        type="apiKey",
        name=LOGIN_COOKIE,
        security_scheme_in="cookie",
        description="The cookie of `POST /auth/cookie/login`, for browsers.",
    ),
    "csrf": SecurityScheme(
        type="apiKey",
        name=CSRF_HEADER,
        security_scheme_in="header",
        description=f"The value of the cookie `{CSRF_COOKIE}`: needed beside the login's cookie to change something.",
    ),
}
NOTHING: SecurityRequirement = {}
LOGIN: SecurityRequirement = {"login": []}
API_TOKEN: SecurityRequirement = {"api_token": []}
COOKIE: SecurityRequirement = {"cookie": []}
COOKIE_TO_CHANGE: SecurityRequirement = {"cookie": [], "csrf": []}
TAGS = {
    "Health": "Whether the service can do its work.",
    "Logins": "Logging in and out: with a bearer token for programs, with cookies for browsers.",
    "Passwords": "New passwords, and what is sent by mail to get them.",
    "Users": "Registering, who one is, and, for admins, everybody.",
    "API tokens": "Personal tokens for programs: shown once, and ended by themselves after a while.",
    "Instruments": "Where files come from: shares, how long files settle there, and the outcomes of their scans.",
    "Service accounts": "What the instruments' shares are read with. A password goes in and never comes out.",
    "Storage locations": "Where archived versions go.",
    "Schedules": "When an instrument is harvested, and into which storage location.",
    "Hooks": "Configured steps before a transfer (filters) and after it (metadata, access), built in or others'.",
    "Runs": "How a harvest that was triggered is getting on, in Dagster's words.",
    "Files": "The catalog: every file that was ever found, its versions, its history, and its content.",
    "Transfers": "Each attempt to bring a version to a storage location, with its proof.",
    "Fixity": "Re-readings of the archive: what was found damaged, how it was repaired, and what waits for a person.",
    "Certificates": "May this be deleted at the source? Safe with the proof, or every reason why not; signed.",
    "Summary": "What a dashboard draws from.",
    "Identifiers": "The resolver of ARKs: citation, description and place of what they name.",
    "Access": "Who may see which files: grants on files, instruments and folders, owners, and what waits for a name.",
    "Groups": "Users who may see the same.",
    "Projects": "Users and whole groups who work on the same.",
    "Instrument requests": "Everyone may ask for an instrument, admins decide.",
    "Notifications": "The viewer's own notifications.",
    "Alerts": "What is or was wrong, who was notified, and who is working on it.",
    "Audit log": "Every change that was made, by whom, with the values before and after. It can't be changed.",
}
DESCRIPTION = """\
Finds every new file of a facility's instruments, proves its copy, and lets the right people find and fetch it.

- Lists are JSON arrays in pages: `limit` entries, and `Link: <…>; rel="next"` to the next page.
- Every error is `{"detail": "…"}`, a sentence for a person.
- What one may not see is 404, and is absent from every list, count and search.
- Times are in UTC, sizes in bytes. A field that is left out of a change stays as it is.
"""


class Document(OpenAPI):
    """Litestar's document, which completes itself when it is written down."""

    def to_schema(self) -> Part:
        return completed(super().to_schema())


def completed(document: Part) -> Part:
    """The document with what fields take, examples, headers, and descriptions."""
    paths = {
        path: {method: _operation(path, operation) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    schemas = with_descriptions(with_rules(document["components"]["schemas"]), _bodies())
    return {**document, "paths": paths, "components": {**document["components"], "schemas": schemas}}


def _operation(path: str, operation: Part) -> Part:
    done = dict(operation)
    if "parameters" in done:
        done["parameters"] = [described(parameter) for parameter in done["parameters"]]
    if "requestBody" in done:
        done["requestBody"] = {**done["requestBody"], "content": _content(done["requestBody"]["content"])}
    done["responses"] = {
        status: _response(path, operation, status, response) for status, response in done["responses"].items()
    }
    return done


def _response(path: str, operation: Part, status: str, response: Part) -> Part:
    headers = {**response.get("headers", {}), **headers_of(path, operation, status)}
    content = {"content": _content(response["content"])} if "content" in response else {}
    return {**response, "headers": headers, **content}


def _content(content: Part) -> Part:
    if RECORD in content:
        content = {**content, LINKED_DATA: {"schema": {"type": "object"}}}  # what the resolver offers beside it
    return {media_type: with_examples(media_type, each) for media_type, each in content.items()}


def _bodies() -> Iterator[type[Struct]]:
    """Every body that goes in or out."""
    yield Login
    for kind in (Incoming, Outgoing):
        yield from _below(kind)


def _below(kind: type[Struct]) -> Iterator[type[Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


class DocumentedSecurity(ReceiveRoutePlugin):
    """Says of each handler which credentials it takes."""

    def receive_route(self, route: BaseRoute) -> None:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                handler.security = requirements(handler)


def requirements(handler: HTTPRouteHandler) -> list[SecurityRequirement]:
    """Any one of these is enough to be known."""
    if OPEN_TO_ALL.items() <= handler.opt.items():
        return [NOTHING]
    known = [LOGIN, COOKIE if handler.http_methods <= set(SAFE_METHODS) else COOKIE_TO_CHANGE]
    if login_only not in (handler.guards or []):
        known.append(API_TOKEN)
    return [NOTHING, *known] if LOGIN_OPTIONAL.items() <= handler.opt.items() else known


class DocumentConfig(OpenAPIConfig):
    """The document, made by Litestar and completed by us."""

    def to_openapi_schema(self) -> OpenAPI:
        """The document without its paths, which Litestar fills in."""
        made = super().to_openapi_schema()
        return Document(info=made.info, servers=made.servers, components=made.components, tags=made.tags, paths={})


def openapi_config() -> OpenAPIConfig:
    return DocumentConfig(
        title="StreamWeave",
        version=version("streamweave"),
        description=DESCRIPTION,
        tags=[Tag(name=name, description=description) for name, description in TAGS.items()],
        use_handler_docstrings=True,
        openapi_router=schema_router(),
        render_plugins=[SwaggerPage()],
        components=Components(security_schemes=dict(SCHEMES)),
    )


Schemas = dict[str, Part]

RULES: dict[str, Mapping[str, Rule]] = {
    "Acknowledgement": alerts.ACKNOWLEDGEMENT,
    "ArchiveRequest": {},
    "GroupChanges": groups.FIELDS,
    "HookChanges": hooks.FIELDS,
    "HookSample": trial.SAMPLE,
    "InstrumentChanges": instruments.AT_CHANGE,
    "MailWanted": {},
    "NewApiToken": tokens.FIELDS,
    "NewGrant": grants.TO_GRANTEE,
    "NewGroup": groups.FIELDS,
    "NewGroupMember": groups.GROUP_MEMBER,
    "NewHook": hooks.FIELDS,
    "NewInstrument": instruments.AT_CREATION,
    "NewInstrumentGrant": grants.ON_INSTRUMENT,
    "NewInstrumentRequest": requests.FIELDS,
    "NewProject": groups.FIELDS,
    "NewProjectMember": groups.PROJECT_MEMBER,
    "NewSchedule": schedules.AT_CREATION,
    "NewServiceAccount": service_accounts.FIELDS,
    "NewStorageLocation": locations.AT_CREATION,
    "NewUser": users.FIELDS,
    "Ownership": grants.OWNER,
    "PasswordChange": {"new_password": users.password},
    "PasswordReset": {"password": users.password},
    "ProjectChanges": groups.FIELDS,
    "Registration": users.FIELDS,
    "Review": requests.REVIEW,
    "ScheduleChanges": schedules.CHANGEABLE,
    "ServiceAccountChanges": service_accounts.FIELDS,
    "StorageLocationChanges": locations.FIELDS,
    "UserChanges": users.FIELDS,
    "Verification": {},
    "Withdrawal": files.WITHDRAWAL,
}
CONFIGURATIONS: list[type[HookConfig]] = [
    FileFilterConfig,
    MetadataEnrichmentConfig,
    AccessAssignmentConfig,
    ScriptConfig,
    WebhookConfig,
]
DESCRIPTIONS = {
    **NOUNS,
    "action": "Only changes of this kind",
    "actor_id": "Only what this user changed",
    "entity_id": "Only changes of this row",
    "member_id": "The user or group, by its own id",
    "name": "The rest of the identifier: `99999/fk4…`, with `.v2` after it for that version",
    "number": "The version's number, from 1",
    "owner_id": "Only files of this user",
    "run_id": "The run's id in Dagster",
    "status": "Only transfers in this state",
}


def with_rules(schemas: Schemas) -> Schemas:
    """The components, with what their fields take, and with the configurations of hooks."""
    ruled = {name: _with_rules(schemas[name], rules) for name, rules in RULES.items()}
    hooked = {name: _with_configurations(ruled[name]) for name in ("NewHook", "HookChanges")}
    return {**schemas, **ruled, **hooked, **_configurations()}


def with_descriptions(schemas: Schemas, bodies: Iterable[type[Struct]]) -> Schemas:
    """The components, with what the bodies of their names are for."""
    texts = {body.__name__: cleandoc(body.__doc__ or "") for body in bodies}
    described = {name: {"description": texts[name], **schemas[name]} for name in schemas if name in texts}
    return {**schemas, **described}


def _with_rules(schema: dict[str, Any], rules: Mapping[str, Rule]) -> dict[str, Any]:
    fields = schema["properties"]
    ruled = {field: dict(schema_of(rules[field])) for field in fields if field in rules and schema_of(rules[field])}
    return {**schema, "properties": {**fields, **ruled}, "additionalProperties": False}


def _with_configurations(schema: dict[str, Any]) -> dict[str, Any]:
    """Which hooks there are, and what each of them takes as its ``config``."""
    names = [name for those in BUILTINS.values() for name in those]
    configurations = [{"$ref": f"{REFERENCE}{model.__name__}"} for model in CONFIGURATIONS]
    known = {"builtin_name": {"enum": [*names, None]}, "config": {"anyOf": configurations}}
    return {**schema, "properties": {**schema["properties"], **known}}


def _configurations() -> Schemas:
    template = f"{REFERENCE}{{model}}"
    _, document = models_json_schema([(model, "validation") for model in CONFIGURATIONS], ref_template=template)
    schemas: Schemas = document["$defs"]
    return {name: {**schema, "additionalProperties": False} for name, schema in schemas.items()}


def described(parameter: dict[str, Any]) -> dict[str, Any]:
    """The parameter, with what it means where its handler says only its type."""
    return {"description": DESCRIPTIONS.get(parameter["name"], ""), **parameter}


SCAN = "time,value\n0,1.0\n1,2.0\n"
ERC = """\
erc:
who: StreamWeave
what: microscope/user_a/experiment_001/scan_01.csv
when: 20260224170559
where: ark:/99999/fk4biqspimyync43nspm5elixje3m

"""
DATASET = {
    "@context": "https://schema.org/",
    "@type": "Dataset",
    "@id": "ark:/99999/fk4biqspimyync43nspm5elixje3m",
    "name": "scan_01.csv",
    "description": "microscope/user_a/experiment_001/scan_01.csv",
}
# of what is no JSON, or has no body of ours
BY_MEDIA_TYPE: dict[str, Any] = {
    "*/*": SCAN,
    "application/zip": "PK\x03\x04…",
    "text/plain": ERC,
    "application/ld+json": DATASET,
}
STATUS = {"status": "ok"}


@cache
def examples() -> dict[str, Any]:
    """One example or a list of them for each body, by the body's name."""
    story = yaml.safe_load(resources.files(__package__).joinpath("examples.yaml").read_text("utf-8"))
    return {name: example for name, example in story.items() if not name.startswith(".")}


def with_examples(media_type: str, content: dict[str, Any]) -> dict[str, Any]:
    """The content of a request or response, with examples unless it has some."""
    if content.get("examples"):
        return content
    if media_type in BY_MEDIA_TYPE:
        return {**content, "examples": _named([BY_MEDIA_TYPE[media_type]])}
    return {**content, "examples": _named(_of(content["schema"]))}


def _of(schema: dict[str, Any]) -> list[Any]:
    if "$ref" in schema:
        example = examples()[schema["$ref"].removeprefix(REFERENCE)]
        return example if isinstance(example, list) else [example]
    if "items" in schema:
        return [_of(schema["items"])]
    if "oneOf" in schema:
        return [example for each in schema["oneOf"] for example in _of(each)]
    return [STATUS]


def _named(found: list[Any]) -> dict[str, Any]:
    return {f"example {number}": {"value": value} for number, value in enumerate(found, start=1)}
