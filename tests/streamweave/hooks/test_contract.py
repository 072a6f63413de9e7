import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.catalog.tables import GranteeType, HookTrigger
from streamweave.errors import HookFailed
from streamweave.hooks.base import Enrichment, HookContext, Proceed, Redirect, Skip
from streamweave.hooks.external_hook import LONGEST_SENTENCE, decision_from, enrichment_from, question
from streamweave.validation import has_control_character

SOMEBODY = uuid.uuid4()


def test_a_question_tells_all_that_a_hook_is_shown_and_nothing_that_changes_from_attempt_to_attempt() -> None:
    shown = HookContext(
        "microscope_01", "share/Größe.csv", "Größe.csv", 23, datetime(2026, 2, 24, tzinfo=UTC), metadata={"a": "b"}
    )
    asked = question(HookTrigger.PRE_TRANSFER, "Filter", shown, {"lab": "A"})
    assert asked == question(HookTrigger.PRE_TRANSFER, "Filter", shown, {"lab": "A"})
    assert json.loads(asked) == {
        "version": 1,
        "trigger": "pre_transfer",
        "hook": "Filter",
        "instrument": "microscope_01",
        "file": {
            "source_path": "share/Größe.csv",
            "filename": "Größe.csv",
            "size_bytes": 23,
            "mtime": "2026-02-24T00:00:00+00:00",
            "xxhash": None,
            "sha256": None,
        },
        "metadata": {"a": "b"},
        "parameters": {"lab": "A"},
    }


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ({"decision": "proceed"}, Proceed()),
        ({"version": 1, "decision": "proceed", "reason": None}, Proceed()),
        ({"decision": "skip", "reason": "empty"}, Skip("empty")),
        ({"decision": "redirect", "destination": "B", "reason": "x"}, Redirect("B", "x")),
        ({"decision": "redirect", "destination": "B"}, Redirect("B", "redirected to 'B'")),
    ],
)
def test_a_decision_is_read(answer: Any, decision: Any) -> None:
    assert decision_from(json.dumps(answer).encode()) == decision


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "the answer is not JSON"),
        (b"proceed", "the answer is not JSON"),
        (b"\xff", "the answer is not JSON"),
        (b"[" * 100_000, "the answer is not JSON"),
        (b'{"decision": NaN}', "the answer is not JSON"),
        (b'{"decision": 1' + b"0" * 5000 + b"}", "the answer is not JSON"),
        (b"null", "the answer can't be used: must be an object"),
        (b"{}", "the answer.decision can't be used: is required"),
        (b'{"decision": "Proceed"}', "should be 'proceed', 'skip' or 'redirect'"),
        (b'{"decision": true}', "should be"),
        (b'{"decision": "proceed", "verdict": 1}', "unknown key 'verdict'"),
        (b'{"version": 2, "decision": "proceed"}', "the answer.version can't be used: should be 1"),
        (b'{"decision": "skip"}', "needs a reason to skip"),
        (b'{"decision": "skip", "reason": ""}', "the answer.reason"),
        (b'{"decision": "skip", "reason": "a\\u0000b"}', "must not hold control characters"),
        (b'{"decision": "skip", "reason": "\\ud800"}', "the answer"),
        (b'{"decision": "redirect"}', "needs a destination"),
        (b'{"decision": "proceed", "destination": "B"}', "needs a destination to redirect to, and only then"),
    ],
)
def test_what_is_no_decision_is_a_failure_and_never_consent(answer: bytes, problem: str) -> None:
    with pytest.raises(HookFailed) as failure:
        decision_from(answer)
    assert problem in str(failure.value)


@pytest.mark.parametrize(
    "answer",
    [
        {"metadata": {"a\0b": "x"}},
        {"metadata": {"a\nb": 1}},
        {"metadata": {"\ud800": "x"}},
        {"metadata": {"k" * 500_000: "x"}},
        {"metadata": {}, "k" * 500_000: 1},
    ],
)
def test_why_an_answer_is_no_good_is_a_sentence_that_the_catalog_can_hold_whatever_its_keys(answer: Any) -> None:
    with pytest.raises(HookFailed) as failure:
        enrichment_from(json.dumps(answer).encode())
    assert not has_control_character(str(failure.value))
    assert len(str(failure.value)) <= LONGEST_SENTENCE


def test_an_enrichment_is_read() -> None:
    answer = {
        "version": 1,
        "metadata": {"sample": "cobalt", "notes": "two\nlines"},
        "grants": [
            {"grantee_type": "user", "name": "ada@test.org"},
            {"grantee_type": "group", "grantee_id": str(SOMEBODY)},
        ],
    }
    grants = frozenset({NamedGrantee(GranteeType.USER, "ada@test.org"), Grantee(GranteeType.GROUP, SOMEBODY)})
    assert enrichment_from(json.dumps(answer).encode()) == Enrichment(
        {"sample": "cobalt", "notes": "two\nlines"}, grants
    )


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"metadata": None},
        {"metadata": {"a": 1}},
        {"metadata": {"a": {"b": "c"}}},
        {"metadata": {"": "b"}},
        {"metadata": {"a": "b\0"}},
        {"metadata": {"a": "x" * 4001}},
        {"metadata": {str(number): "x" for number in range(201)}},
        {"metadata": {}, "decision": "proceed"},
        {"metadata": {}, "grants": [{"grantee_type": "user"}]},
        {"metadata": {}, "grants": [{"grantee_type": "everyone", "name": "x"}]},
        {"metadata": {}, "grants": [{"grantee_type": "user", "grantee_id": "1"}]},
        {"metadata": {}, "grants": [{"grantee_type": "user", "name": "a", "grantee_id": str(SOMEBODY)}]},
    ],
)
def test_what_can_not_be_kept_is_a_failure(answer: Any) -> None:
    with pytest.raises(HookFailed, match="can't be used"):
        enrichment_from(json.dumps(answer).encode())
