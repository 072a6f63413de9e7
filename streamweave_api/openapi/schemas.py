"""The schemas of bodies, from the core's rules as far as a JSON Schema can express them; and texts of parameters."""

from collections.abc import Iterable, Mapping
from inspect import cleandoc
from typing import Any

from msgspec import Struct
from pydantic.json_schema import models_json_schema

from streamweave.access import grants, groups, tokens, users
from streamweave.alerts import alerts
from streamweave.files import commands as files
from streamweave.hooks import configuration as hooks
from streamweave.hooks import trial
from streamweave.hooks.base import HookConfig
from streamweave.hooks.build import BUILTINS
from streamweave.hooks.builtin import AccessAssignmentConfig, FileFilterConfig, MetadataEnrichmentConfig
from streamweave.hooks.external_hook import ScriptConfig, WebhookConfig
from streamweave.instruments import fields as instruments
from streamweave.instruments import requests, schedules, service_accounts
from streamweave.storage import locations
from streamweave.validation import Rule, schema_of
from streamweave_api.openapi.answers import NOUNS

Schemas = dict[str, dict[str, Any]]

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
REFERENCE = "#/components/schemas/{model}"

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
    configurations = [{"$ref": REFERENCE.format(model=model.__name__)} for model in CONFIGURATIONS]
    known = {"builtin_name": {"enum": [*names, None]}, "config": {"anyOf": configurations}}
    return {**schema, "properties": {**schema["properties"], **known}}


def _configurations() -> Schemas:
    _, document = models_json_schema([(model, "validation") for model in CONFIGURATIONS], ref_template=REFERENCE)
    schemas: Schemas = document["$defs"]
    return {name: {**schema, "additionalProperties": False} for name, schema in schemas.items()}


def described(parameter: dict[str, Any]) -> dict[str, Any]:
    """The parameter, with what it means where its handler says only its type."""
    return {"description": DESCRIPTIONS.get(parameter["name"], ""), **parameter}
