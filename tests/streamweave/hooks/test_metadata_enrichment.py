from collections.abc import Callable, Mapping

import pytest

from streamweave.errors import InvalidInput
from streamweave.hooks.base import HookContext
from streamweave.hooks.builtin import MetadataEnrichment

ContextOf = Callable[..., HookContext]

USER_AND_EXPERIMENT = r"/(?P<username>[a-z][a-z0-9_]*)/(?P<experiment>experiment_\d+)"


def found(context: HookContext, *rules: Mapping[str, str]) -> Mapping[str, str]:
    return MetadataEnrichment.configured("enrichment", {"rules": list(rules)}).enrich(context).metadata


def test_user_and_experiment_are_found_in_the_path(context_of: ContextOf) -> None:
    context = context_of("microscope/user_a/experiment_001/scan_01.csv")
    expected = {"username": "user_a", "experiment": "experiment_001"}
    assert found(context, {"pattern": USER_AND_EXPERIMENT, "source": "path"}) == expected
    assert found(context, {"pattern": USER_AND_EXPERIMENT}) == expected


def test_a_path_that_does_not_match_adds_nothing(context_of: ContextOf) -> None:
    assert found(context_of("microscope/experiment_001.csv"), {"pattern": USER_AND_EXPERIMENT}) == {}


def test_a_rule_may_look_at_the_filename_alone(context_of: ContextOf) -> None:
    context = context_of("microscope/run_7/scan_01.csv")
    assert found(context, {"pattern": r"_(?P<number>\d+)", "source": "filename"}) == {"number": "01"}


def test_a_later_rule_overrides_an_earlier_one(context_of: ContextOf) -> None:
    rules = [{"pattern": "(?P<kind>run)"}, {"pattern": "(?P<kind>scan)"}, {"pattern": "(?P<kind>absent)"}]
    assert found(context_of("m/run_7/scan_01.csv"), *rules) == {"kind": "scan"}


@pytest.mark.parametrize(
    ("config", "field", "problem"),
    [
        (None, "config", "must be an object with keys"),
        ({}, "config.rules", "is required"),
        ({"rules": []}, "config.rules", "at least 1 item"),
        ({"rules": {}}, "config.rules", "should be a valid list"),
        ({"rules": [{}]}, "config.rules[0].pattern", "is required"),
        ({"rules": [{"pattern": "(?P<a>"}]}, "config.rules[0].pattern", "is not a pattern that RE2 accepts"),
        ({"rules": [{"pattern": "no groups"}]}, "config.rules[0].pattern", "has no named group"),
        (
            {"rules": [{"pattern": "(?P<a>x)"}, {"pattern": "(?P<a>x)(?!y)"}]},
            "config.rules[1].pattern",
            "look-around",
        ),
        ({"rules": [{"pattern": "(?P<a>x)", "source": "moon"}]}, "config.rules[0].source", "'path' or 'filename'"),
        (
            {"rules": [{"regex": "(?P<a>x)"}]},
            "config.rules[0]",
            "unknown key 'regex'; the keys are pattern, source",
        ),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_field_and_the_reason(
    config: object, field: str, problem: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        MetadataEnrichment.configured("enrichment", config)
    assert refused.value.field == field
    assert problem in refused.value.problem
