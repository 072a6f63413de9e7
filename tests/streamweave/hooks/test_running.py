from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.errors import HookFailed
from streamweave.hooks.base import Decision, Enrichment, HookContext, Proceed, Redirect, Skip
from streamweave.hooks.calls import Enriched, decide, enrich
from streamweave.hooks.configuration import fingerprint

ContextOf = Callable[..., HookContext]


@dataclass(frozen=True)
class PreHook:
    name: str
    decide: Callable[[HookContext], Decision]


@dataclass(frozen=True)
class PostHook:
    name: str
    enrich: Callable[[HookContext], Enrichment]


def deciding(decision: Decision) -> PreHook:
    return PreHook("deciding", lambda _: decision)


def finding(**metadata: str) -> PostHook:
    return PostHook("finding", lambda _: Enrichment(metadata))


def no_answer(_: HookContext) -> NoReturn:
    raise HookFailed("no answer")


TO_COLD, TO_WARM = Redirect("Cold", "raw"), Redirect("Warm", "small")


@pytest.mark.parametrize(
    ("verdicts", "decision"),
    [
        ([], Proceed()),
        ([Proceed(), Proceed()], Proceed()),
        ([Skip("first"), Skip("second")], Skip("first")),
        ([TO_COLD, Proceed()], TO_COLD),
        ([TO_COLD, TO_WARM], TO_WARM),
        ([TO_COLD, Skip("after all")], Skip("after all")),
    ],
)
def test_the_first_skip_wins_then_the_last_redirect(
    context_of: ContextOf, verdicts: list[Decision], decision: Decision
) -> None:
    assert decide([deciding(verdict) for verdict in verdicts], context_of("m/a.csv")) == decision


def test_hooks_after_a_skip_are_not_asked(context_of: ContextOf) -> None:
    assert decide([deciding(Skip("enough")), PreHook("webhook", no_answer)], context_of("m/a.csv")) == Skip("enough")


def test_a_file_that_a_hook_can_not_judge_is_not_let_through(context_of: ContextOf) -> None:
    with pytest.raises(HookFailed, match=r"^Virus scan: no answer$"):
        decide([deciding(Proceed()), PreHook("Virus scan", no_answer)], context_of("m/a.csv"))


def test_later_hooks_see_and_override_what_earlier_ones_found(context_of: ContextOf) -> None:
    counting = PostHook("counting", lambda context: Enrichment({"shown": str(len(context.metadata))}))
    hooks = [finding(user="a", kind="scan"), finding(user="b"), counting]
    assert enrich(hooks, context_of("m/a.csv")) == Enriched({"user": "b", "kind": "scan", "shown": "2"})


def test_a_hook_that_fails_is_reported_by_name_while_the_others_run(context_of: ContextOf) -> None:
    hooks = [finding(a="1"), PostHook("Webhook", no_answer), finding(b="2")]
    enriched = enrich(hooks, context_of("m/a.csv"))
    assert enriched.metadata == {"a": "1", "b": "2"}
    assert [str(failure) for failure in enriched.failures] == ["Webhook: no answer"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
settings_of_hooks = st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=3)


@given(settings_of_hooks)
def test_the_fingerprint_does_not_depend_on_the_order_of_keys(configs: list[dict[str, object]]) -> None:
    assert fingerprint(configs) == fingerprint([dict(reversed(config.items())) for config in configs])


@given(settings_of_hooks, st.dictionaries(st.text(), json_values))
def test_one_more_hook_changes_the_fingerprint(configs: list[dict[str, object]], one: dict[str, object]) -> None:
    assert fingerprint([*configs, one]) != fingerprint(configs)


def test_the_order_of_hooks_changes_the_fingerprint() -> None:
    assert fingerprint([{"a": 1}, {"b": 1}]) != fingerprint([{"b": 1}, {"a": 1}])


def test_fingerprints_stay_the_same_from_release_to_release() -> None:
    assert fingerprint([]) == "4f53cda18c2baa0c"
    assert fingerprint([{"exclude_patterns": ["*.tmp"], "größe": 1}]) == "051bf5a2fb8f84ff"
