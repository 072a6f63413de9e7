"""The proof itself: each rule finds the breach that it is for, and nothing where there is none."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from soak.evidence import Copy, Evidence, Version
from soak.proof import RULES, breaches_in

PATH, PLACE = "share/a.csv", "Instrument/share/a.csv"
ID = uuid.UUID(int=1)
VERSION = Version(ID, PATH, "ark:/1/a", 1, True, "archived", "", 3, "abc", False, True, None)
COPY = Copy(ID, "archive", PLACE, "completed", 3, True)
SOUND = Evidence(
    contents={PATH: ["abc"]},
    lapsed={},
    on_share=frozenset({PATH}),
    skipped=frozenset(),
    archives={"archive": {PLACE: "abc"}},
    staged={"archive": []},
    versions=[VERSION],
    copies=[COPY],
)
OTHER = Version(uuid.UUID(int=2), PATH, "ark:/1/a", 2, False, "archived", "", 3, "abc", False, True, None)

ABC = {PLACE: "abc"}
BREACHES: dict[str, tuple[dict[str, Any], str]] = {
    "a file that is archived nowhere": (
        {"archives": {"archive": {}}, "copies": [], "versions": [VERSION._replace(state="pending", sha256=None)]},
        "lost, untruthful",
    ),
    "an earlier content that is archived nowhere": ({"contents": {PATH: ["old", "abc"]}}, "lost"),
    "a location that lacks it": ({"archives": {"archive": ABC, "mirror": {}}}, "lost"),
    "a copy that is not on record": (
        {"copies": [], "versions": [VERSION._replace(state="settled")]},
        "lost, without a row, untruthful",
    ),
    "two transfers of one version": ({"copies": [COPY, COPY]}, "twice"),
    "one content as two versions": ({"versions": [VERSION, OTHER]}, "twice, without bytes"),
    "half a file under a final name": ({"archives": {"archive": ABC | {"b": "half"}}}, "partial, without a row"),
    "bytes that are gone": ({"archives": {"archive": {}}}, "lost, without bytes"),
    "other bytes than are on record": (
        {"versions": [VERSION._replace(sha256="xyz")]},
        "lost, without bytes, untruthful",
    ),
    "a copy without proof": ({"copies": [COPY._replace(is_verified=False)]}, "without bytes"),
    "a temporary file": ({"staged": {"archive": ["x.part"]}}, "stale"),
    "a file on the share that nobody knows": ({"on_share": frozenset({PATH, "share/b.csv"})}, "untruthful"),
    "a file that settles for ever": ({"versions": [VERSION._replace(state="settling")]}, "untruthful"),
    "a file called gone that is there": ({"versions": [VERSION._replace(is_gone=True)]}, "untruthful"),
    "a transfer that waits": ({"copies": [COPY, COPY._replace(status="in_progress")]}, "untruthful"),
    "a file that was not enriched": ({"versions": [VERSION._replace(is_enriched=False)]}, "untruthful"),
    "a skipped file that was archived": ({"skipped": frozenset({PATH})}, "untruthful"),
}


def broken(evidence: Evidence) -> set[str]:
    return {rule for rule, breaches in breaches_in(evidence).items() if breaches}


def test_where_all_is_well_no_rule_is_broken() -> None:
    assert broken(SOUND) == set()
    assert breaches_in(SOUND).keys() == RULES.keys()


@pytest.mark.parametrize(("changes", "rules"), BREACHES.values(), ids=BREACHES.keys())
def test_a_breach_is_found_by_its_rule(changes: dict[str, Any], rules: str) -> None:
    assert broken(replace(SOUND, **changes)) == set(rules.split(", "))


def test_what_went_before_it_could_be_taken_has_vanished_and_is_owed_to_nobody() -> None:
    vanished = VERSION._replace(state="vanished", reason="gone", sha256=None, is_gone=True)
    evidence = replace(SOUND, contents={}, lapsed={PATH: ["abc"]}, on_share=frozenset(), versions=[vanished], copies=[])
    assert broken(evidence) == set()


def test_whole_bytes_that_a_dead_run_published_of_a_file_that_changed_since_may_stand_without_a_row() -> None:
    evidence = replace(SOUND, lapsed={PATH: ["old"]}, archives={"archive": {PLACE: "abc", "b": "old"}})
    assert broken(evidence) == set()
