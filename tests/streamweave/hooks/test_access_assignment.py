import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.catalog.tables import GranteeType
from streamweave.errors import HookFailed, InvalidInput
from streamweave.hooks.base import HookContext
from streamweave.hooks.builtin import AccessAssignment, MetadataEnrichment
from streamweave.hooks.calls import enrich

ContextOf = Callable[..., HookContext]
SOMEBODY = uuid.uuid4()
BY_METADATA = {"grantee_type": "user", "match": "metadata", "key": "username"}


def assigned(context: HookContext, *grants: object) -> set[Grantee | NamedGrantee]:
    return set(AccessAssignment.configured("access", {"grants": list(grants)}).enrich(context).grants)


def test_a_literal_id_is_granted_every_file(context_of: ContextOf) -> None:
    rule = {"grantee_type": "group", "grantee_id": str(SOMEBODY)}
    assert assigned(context_of("m/a.csv"), rule) == {Grantee(GranteeType.GROUP, SOMEBODY)}


def test_metadata_names_who_it_is(context_of: ContextOf) -> None:
    context = replace(context_of("m/a.csv"), metadata={"username": "user_a", "mail": "b@test.org", "empty": " "})
    by_mail = {**BY_METADATA, "key": "mail"}
    assert assigned(context, BY_METADATA) == {NamedGrantee(GranteeType.USER, "user_a")}
    assert assigned(context, {**BY_METADATA, "mail_domain": "x.org"}) == {
        NamedGrantee(GranteeType.USER, "user_a@x.org")
    }
    assert assigned(context, {**by_mail, "mail_domain": "x.org"}) == {NamedGrantee(GranteeType.USER, "b@test.org")}
    assert assigned(context, {**BY_METADATA, "key": "absent"}, {**BY_METADATA, "key": "empty"}) == set()


def test_it_reads_what_the_hooks_before_it_have_found(context_of: ContextOf) -> None:
    finding = MetadataEnrichment.configured("finding", {"rules": [{"pattern": "/(?P<username>user_[a-z])/"}]})
    assigning = AccessAssignment.configured("access", {"grants": [{**BY_METADATA, "grantee_type": "project"}]})
    told = enrich([finding, assigning], context_of("m/user_a/a.csv"))
    assert told.grants == {NamedGrantee(GranteeType.PROJECT, "user_a")}


@pytest.mark.parametrize("value", ["x" * 255, "a\nb"])
def test_what_can_not_be_a_name_is_a_failure(context_of: ContextOf, value: str) -> None:
    with pytest.raises(HookFailed, match="the metadata username can't be the name of a user"):
        assigned(replace(context_of("m/a.csv"), metadata={"username": value}), BY_METADATA)


@pytest.mark.parametrize(
    ("rule", "field", "problem"),
    [
        ({"grantee_type": "user"}, "config.grants[0]", "needs either grantee_id, or match and key"),
        ({**BY_METADATA, "grantee_id": str(SOMEBODY)}, "config.grants[0]", "needs either"),
        ({"grantee_type": "user", "match": "metadata"}, "config.grants[0]", "needs match and key together"),
        ({"grantee_type": "user", "grantee_id": "nobody"}, "config.grants[0].grantee_id", "must be an id"),
        ({"grantee_type": "all", "grantee_id": str(SOMEBODY)}, "config.grants[0].grantee_type", "'user', 'group'"),
        (
            {**BY_METADATA, "grantee_type": "group", "mail_domain": "x.org"},
            "config.grants[0]",
            "mail_domain is for users",
        ),
    ],
)
def test_a_wrong_rule_is_refused_with_the_field_and_the_reason(rule: object, field: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        AccessAssignment.configured("access", {"grants": [rule]})
    assert refused.value.field == field
    assert problem in refused.value.problem
