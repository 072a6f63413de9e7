from collections.abc import Callable
from typing import Any

import pytest

from streamweave.errors import InvalidInput
from streamweave.hooks.base import HookContext, Proceed, Redirect, Skip
from streamweave.hooks.builtin import FileFilter

ContextOf = Callable[..., HookContext]


def file_filter(**config: Any) -> FileFilter:
    return FileFilter.configured("filter", config)


@pytest.mark.parametrize("filename", ["scratch.tmp", "a.LOCK", "~$report.docx"])
def test_temporary_files_are_skipped_with_the_pattern_that_excluded_them(context_of: ContextOf, filename: str) -> None:
    decision = file_filter(exclude_patterns=["*.tmp", "*.lock", "~$*"]).decide(context_of(f"microscope/{filename}"))
    assert isinstance(decision, Skip)
    assert decision.reason.startswith("excluded by pattern '")


def test_the_reason_names_the_pattern(context_of: ContextOf) -> None:
    decision = file_filter(exclude_patterns=["*.lock", "*.tmp"]).decide(context_of("microscope/scratch.tmp"))
    assert decision == Skip("excluded by pattern '*.tmp'")


def test_a_filter_without_settings_lets_everything_through(context_of: ContextOf) -> None:
    assert file_filter().decide(context_of("microscope/a.csv", 0)) == Proceed()


def test_a_pattern_may_speak_of_the_whole_path(context_of: ContextOf) -> None:
    hook = file_filter(exclude_patterns=["microscope/calibration/*"])
    assert isinstance(hook.decide(context_of("microscope/calibration/a.csv")), Skip)
    assert hook.decide(context_of("microscope/user_a/a.csv")) == Proceed()


def test_what_is_not_included_is_skipped(context_of: ContextOf) -> None:
    hook = file_filter(include_patterns=["*.csv", "*.raw"])
    assert hook.decide(context_of("m/a.csv")) == Proceed()
    assert hook.decide(context_of("m/a.txt")) == Skip("matches none of the patterns to include: '*.csv', '*.raw'")


def test_a_file_of_the_minimum_size_is_let_through_and_a_smaller_one_not(context_of: ContextOf) -> None:
    hook = file_filter(minimum_size_bytes=10)
    assert hook.decide(context_of("m/a.csv", 10)) == Proceed()
    assert hook.decide(context_of("m/a.csv", 9)) == Skip("9 bytes are fewer than the minimum of 10")


def test_the_first_redirect_rule_that_matches_is_followed(context_of: ContextOf) -> None:
    rules = [{"pattern": "*.raw", "destination": "Cold"}, {"pattern": "*", "destination": "Warm"}]
    hook = file_filter(redirect_rules=rules)
    assert hook.decide(context_of("m/a.raw")) == Redirect("Cold", "redirected by pattern '*.raw'")
    assert hook.decide(context_of("m/a.csv")) == Redirect("Warm", "redirected by pattern '*'")


@pytest.mark.parametrize(
    ("source_path", "size_bytes", "reason"),
    [
        ("m/a.tmp", 0, "excluded"),
        ("m/a.txt", 0, "matches none"),
        ("m/a.raw", 0, "0 bytes"),
    ],
)
def test_exclusion_wins_over_inclusion_over_size_over_redirect(
    context_of: ContextOf, source_path: str, size_bytes: int, reason: str
) -> None:
    hook = file_filter(
        exclude_patterns=["*.tmp"],
        include_patterns=["*.raw", "*.tmp"],
        minimum_size_bytes=1,
        redirect_rules=[{"pattern": "*", "destination": "Cold"}],
    )
    decision = hook.decide(context_of(source_path, size_bytes))
    assert isinstance(decision, Skip)
    assert decision.reason.startswith(reason)


@pytest.mark.parametrize(
    ("config", "field", "problem"),
    [
        ([], "config", "must be an object with keys"),
        ({"min_size_bytes": 1}, "config", "unknown key 'min_size_bytes'; the keys are exclude_patterns, include_"),
        ({"exclude_patterns": "*.tmp"}, "config.exclude_patterns", "should be a valid list"),
        ({"exclude_patterns": ["*", ""]}, "config.exclude_patterns[1]", "must not be empty"),
        ({"include_patterns": [3]}, "config.include_patterns[0]", "must be text"),
        ({"minimum_size_bytes": -1}, "config.minimum_size_bytes", "should be greater than or equal to 0"),
        ({"minimum_size_bytes": "10"}, "config.minimum_size_bytes", "should be a valid integer"),
        ({"minimum_size_bytes": True}, "config.minimum_size_bytes", "should be a valid integer"),
        ({"redirect_rules": ["*.raw"]}, "config.redirect_rules[0]", "must be an object with keys"),
        ({"redirect_rules": [{"pattern": "*"}]}, "config.redirect_rules[0].destination", "is required"),
        (
            {"redirect_rules": [{"pattern": "[z-a]", "destination": "Cold"}]},
            "config.redirect_rules[0].pattern",
            "is not a pattern that RE2 accepts: invalid character class range: z-a",
        ),
        (
            {"redirect_rules": [{"pattern": "*", "destination": ""}]},
            "config.redirect_rules[0].destination",
            "should have at least 1 character",
        ),
        (
            {"redirect_rules": [{"pattern": "*", "to": "Cold"}]},
            "config.redirect_rules[0]",
            "unknown key 'to'; the keys are pattern, destination",
        ),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_field_and_the_reason(
    config: object, field: str, problem: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        FileFilter.configured("filter", config)
    assert refused.value.field == field
    assert problem in refused.value.problem
