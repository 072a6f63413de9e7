"""What the rules say of themselves, held against what they do."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from streamweave.access import grants, groups, tokens, users
from streamweave.alerts import alerts
from streamweave.errors import InvalidInput
from streamweave.hooks import configuration as hooks
from streamweave.instruments import fields as instruments
from streamweave.instruments import requests, schedules, service_accounts
from streamweave.storage import locations
from streamweave.validation import Rule, schema_of

TABLES: dict[str, Mapping[str, Rule]] = {
    "instrument": instruments.AT_CREATION,
    "service account": service_accounts.FIELDS,
    "storage location": locations.FIELDS,
    "schedule": schedules.AT_CREATION,
    "hook": hooks.FIELDS,
    "user": users.FIELDS,
    "API token": tokens.FIELDS,
    "group": groups.FIELDS,
    "member of a group": groups.GROUP_MEMBER,
    "member of a project": groups.PROJECT_MEMBER,
    "grant": grants.ON_INSTRUMENT,
    "owner": grants.OWNER,
    "instrument request": requests.FIELDS,
    "review": requests.REVIEW,
    "acknowledgement": alerts.ACKNOWLEDGEMENT,
}
RULES = {f"{noun}: {field}": rule for noun, fields in TABLES.items() for field, rule in fields.items()}
# what the schema allows and the rule refuses all the same, because a schema can't say it
STRICTER = {
    "instrument: name": "too many bytes, and names that Windows reserves",
    "instrument: first_acquisition_day": "days to come",
    "service account: allowed_hosts": "networks with impossible prefixes",
    "user: password": "what is easily guessed",
    "schedule: cron_expression": "days that never come",
    "hook: webhook_url": "hosts that can't exist",
    "storage location: base_path": "what may not be part of a bucket's keys",
    "storage location: connection_config": "what the type of storage asks for",
}
SHORT = 40  # characters of generated texts

# values of every kind: for each rule most of them are none that it takes
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=SHORT),
    st.text(st.sampled_from("aZ09 .:/\\-_*?<>|\n\t\x00\x7f@~$%"), max_size=8),
    st.lists(st.none(), max_size=1),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=1),
)


def allowed(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema allows, for the keywords that our rules use."""
    if "anyOf" in schema:
        besides = {key: value for key, value in schema.items() if key != "anyOf"}
        return st.one_of([allowed({**besides, **each}) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("format"):
        case "uuid":
            return st.uuids().map(str)
        case "date":
            return st.dates().map(str)
        case "ipv4":
            return st.ip_addresses(v=4).map(str)
        case "ipv6":
            return st.ip_addresses(v=6).map(str)
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            return st.floats(schema["minimum"], schema["maximum"])
        case "array":
            return st.lists(allowed(schema["items"]), min_size=schema["minItems"], max_size=3)
        case "object":
            known = {name: allowed(each) for name, each in schema.get("properties", {}).items()}
            return st.fixed_dictionaries({}, optional=known)
    shortest, longest = schema.get("minLength", 0), min(schema.get("maxLength", SHORT), SHORT)
    if "pattern" in schema:
        texts = st.from_regex(schema["pattern"], fullmatch=True).filter(lambda text: shortest <= len(text) <= longest)
        return texts.filter(lambda text: not text.endswith("\n"))  # before which Python's $ matches, too
    return st.text(min_size=shortest, max_size=max(shortest, longest))


def as_read(schema: Mapping[str, Any], value: Any) -> Any:
    """What the service hands to a rule, which sees ids as such."""
    return UUID(value) if value is not None and "uuid" in str(schema) else value


def takes(rule: Rule, value: Any) -> bool:
    try:
        rule("field", value)
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize("named", sorted(RULES.keys() - STRICTER.keys()))
def test_a_rule_takes_what_its_schema_allows(named: str) -> None:
    rule = RULES[named]
    schema = schema_of(rule)

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(allowed(schema))
    def try_one(value: Any) -> None:
        assert takes(rule, as_read(schema, value))

    try_one()


@pytest.mark.parametrize("named", sorted(RULES))
def test_a_rule_refuses_what_its_schema_forbids(named: str) -> None:
    rule = RULES[named]
    validator = Draft202012Validator(dict(schema_of(rule)), validate_formats=True)

    @settings(max_examples=100, deadline=None, database=None)
    @given(ANYTHING)
    def try_one(value: Any) -> None:
        assume(not (isinstance(value, float) and value.is_integer()))  # 1.0 is an integer to a schema
        if takes(rule, value):
            assert validator.is_valid(value)

    try_one()


def test_every_rule_says_what_it_takes() -> None:
    assert {named for named, rule in RULES.items() if not schema_of(rule)} <= STRICTER.keys()
    assert STRICTER.keys() <= RULES.keys()
