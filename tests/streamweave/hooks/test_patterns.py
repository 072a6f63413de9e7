import fnmatch

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamweave.hooks.patterns import LONGEST_PATTERN, group_pattern, shell_pattern


@given(st.text("ab.*?[]!/\n", min_size=1, max_size=8), st.text("ab.[]!/\n", max_size=8))
def test_shell_patterns_mean_what_they_mean_to_the_standard_library(pattern: str, name: str) -> None:
    assert shell_pattern(pattern).matches(name) == fnmatch.fnmatchcase(name, pattern)


@given(st.text(min_size=1, max_size=40))
def test_every_text_without_special_characters_matches_itself(name: str) -> None:
    assume(not set(name) & set("*?["))
    assert shell_pattern(name).matches(name)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.TMP", "scratch.tmp", True),
        ("*.tmp", "SCRATCH.TMP", True),
        ("~$*", "~$report.docx", True),
        ("*.tmp", "a.tmp.csv", False),
        ("*/raw/*", "share/user/raw/a.csv", True),
        ("scan_[0-9].csv", "scan_7.csv", True),
        ("scan_[!0-9].csv", "scan_7.csv", False),
        ("[]\\^]", "^", True),
        ("[]\\^]", "\\", True),
        ("?", "é", True),
        ("?", "😀", True),
        ("É*", "été", True),
        ("[unclosed", "[UNCLOSED", True),
    ],
)
def test_a_shell_pattern_matches_whole_names_in_any_case(pattern: str, name: str, matches: bool) -> None:
    assert shell_pattern(pattern).matches(name) is matches


def test_one_matching_text_is_enough() -> None:
    assert shell_pattern("*.csv").matches("no", "a.csv")


@pytest.mark.parametrize("pattern", ["*a" * 200 + "b", "*" * LONGEST_PATTERN, "*?" * 200 + "b", "[" * LONGEST_PATTERN])
def test_no_shell_pattern_takes_exponential_time(pattern: str) -> None:
    assert shell_pattern(pattern).matches("a" * 2000) is (set(pattern) == {"*"})


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "must not be empty"),
        (7, "must be text"),
        ("x" * (LONGEST_PATTERN + 1), "is longer than 1000 characters"),
        ("[z-a]", "invalid character class range"),
        ("\ud800", "is not valid Unicode"),
    ],
)
def test_a_bad_shell_pattern_is_refused_with_the_reason(pattern: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        shell_pattern(pattern)


def test_named_groups_are_found_and_those_that_took_no_part_are_left_out() -> None:
    pattern = group_pattern(r"(?P<sample>s\d+)|(?P<blank>b\d+)")
    assert pattern.groups("run/b12/s3") == {"blank": "b12"}
    assert pattern.groups("nothing") == {}


def test_a_group_may_hold_any_unicode() -> None:
    assert group_pattern("/(?P<user>[^/]+)/").groups("share/Åsa 😀/x") == {"user": "Åsa 😀"}


def test_a_pattern_that_makes_backtracking_engines_hang_is_answered() -> None:
    assert group_pattern(r"(?P<all>(a+)+)$").groups("a" * 5000 + "!") == {}


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "must not be empty"),
        (None, "must be text"),
        ("(?P<a>", "not a pattern that RE2 accepts: missing"),
        (r"(?P<a>x)(?=y)", "look-around"),
        (r"(?P<a>x)(?<!y)", "look-around"),
        (r"(?P<a>x)\1", "back-references"),
        (r"experiment_(\d+)", "has no named group"),
        (r"(?P<a>\d\d\d)|(?P<b>x)|(?P<a>y)", "names the group 'a' more than once"),
        (r"(?P<a>(\pL{100}){10})", "pattern too large"),
    ],
)
def test_a_bad_regular_expression_is_refused_with_the_reason(pattern: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        group_pattern(pattern)


def test_an_escaped_parenthesis_is_no_second_group() -> None:
    assert group_pattern(r"\(?P?<a>|(?P<a>x)").groups("x") == {"a": "x"}


def test_a_bad_pattern_is_not_written_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="RE2"):
        group_pattern("(?P<a>")
    assert capfd.readouterr().err == ""
