"""Scripts and webhooks on the way of a file: real processes and real HTTP, asked while nothing is locked."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, text
from sqlalchemy.engine import Engine

from streamweave.catalog.tables import Hook, HookRetry, HookRun, VersionState
from streamweave.harvest.enrich import enrich_files
from streamweave.harvest.plan import days_with_work, filter_files, policy_for
from streamweave.hooks.calls import AT_ONCE, RUNS_KEPT
from streamweave.hooks.external_hook import HookReach
from streamweave.hooks.scripts import ScriptFolder
from streamweave.sealing import Sealer
from streamweave.webhooks import EgressPolicy

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "microscope/a.csv"
SKIPS_TEMPORARY = """
import json, sys
asked = json.load(sys.stdin)
if asked["file"]["filename"].endswith(".tmp"):
    print(json.dumps({"version": 1, "decision": "skip", "reason": "temporary"}))
elif "restricted" in asked["file"]["source_path"]:
    print(json.dumps({"decision": "redirect", "destination": "restricted"}))
else:
    print(json.dumps({"decision": "proceed"}))
"""


@pytest.fixture
def calling(bench: Any, tmp_path: Path) -> Any:
    """The bench, whose facility has a folder of scripts, and lets webhooks reach loopback."""
    (tmp_path / "scripts").mkdir(mode=0o755)
    sealer = Sealer(Fernet.generate_key().decode())
    reach = HookReach(ScriptFolder(tmp_path / "scripts"), EgressPolicy.listed("127.0.0.1"), sealer)
    return bench.with_facility(reach=reach)


@pytest.fixture
def add_script(calling: Any, tmp_path: Path) -> Callable[..., Hook]:
    """Adds a hook that runs a script of this code."""

    def add(code: str, trigger: str = "pre_transfer", **config: Any) -> Hook:
        (tmp_path / "scripts" / "hook.py").write_text(code)
        (tmp_path / "scripts" / "hook.py").chmod(0o644)
        fields = {"implementation": "python_script", "script_path": "hook.py", "config": config}
        return calling.add(Hook(name="the script", trigger=trigger, **fields))

    return add


@pytest.fixture
def add_webhook(calling: Any, webhook_receiver: Any) -> Callable[..., Hook]:
    """Adds a hook that asks the receiver."""

    def add(trigger: str = "pre_transfer", **config: Any) -> Hook:
        fields = {"implementation": "http_webhook", "webhook_url": webhook_receiver.url(), "config": config}
        sealed = calling.facility.reach.sealed(SECRET)
        return calling.add(Hook(name="the webhook", trigger=trigger, sealed_webhook_secret=sealed, **fields))

    return add


def answering(receiver: Any, answer: Any, status: int = 200) -> None:
    receiver.answer = lambda request: (status, {}, json.dumps(answer).encode())


def asked_about(receiver: Any) -> list[str]:
    return [json.loads(request.body)["file"]["filename"] for request in receiver.received]


def runs(bench: Any) -> list[HookRun]:
    with bench.facility.sessions() as session:
        return list(session.scalars(select(HookRun).order_by(HookRun.id)))


def retry(calling: Any) -> Any:
    """What is on record of the failures of hooks about the file."""
    with calling.facility.sessions() as session:
        return session.get(HookRetry, calling.version(PATH).id)


def days(bench: Any) -> int:
    with bench.facility.sessions() as session:
        policy = policy_for(session, bench.instrument, bench.facility.reach)
        return len(days_with_work(session, bench.instrument, policy, bench.facility.now()))


def test_a_script_decides_and_every_call_is_on_record(calling: Any, add_script: Any, tmp_path: Path) -> None:
    add_script(SKIPS_TEMPORARY)
    calling.add_location("restricted", tmp_path / "restricted", scheduled=False)
    for name in ("a.csv", "b.tmp", "restricted/c.csv"):
        calling.write(f"microscope/{name}")
    calling.harvest()
    assert calling.states() == {
        "microscope/a.csv": VersionState.ARCHIVED,
        "microscope/b.tmp": VersionState.SKIPPED,
        "microscope/restricted/c.csv": VersionState.ARCHIVED,
    }
    assert calling.version("microscope/b.tmp").reason == "temporary"
    assert list(calling.archived(tmp_path / "restricted")) == ["Microscope 01/microscope/restricted/c.csv"]
    found = {(run.outcome, run.message) for run in runs(calling)}
    assert found == {
        ("proceed", ""),
        ("skip", "temporary"),
        ("redirect", "to 'restricted': redirected to 'restricted'"),
    }
    calling.harvest()
    assert len(runs(calling)) == 3, "what is decided is not asked again"


def test_another_script_under_the_old_name_decides_anew(calling: Any, add_script: Any, tmp_path: Path) -> None:
    add_script(SKIPS_TEMPORARY)
    calling.write("microscope/b.tmp")
    calling.harvest()
    (tmp_path / "scripts" / "hook.py").write_text('print(\'{"decision": "proceed"}\')')
    assert days(calling) == 1
    calling.harvest()
    assert calling.states() == {"microscope/b.tmp": VersionState.ARCHIVED}


def test_a_webhook_decides_and_tells_more(calling: Any, add_webhook: Any, webhook_receiver: Any) -> None:
    add_webhook("pre_transfer", parameters={"lab": "A"})
    add_webhook("post_transfer")
    answers = {
        "pre_transfer": {"decision": "proceed"},
        "post_transfer": {
            "metadata": {"sample": "cobalt"},
            "grants": [{"grantee_type": "user", "name": "ada@test.org"}],
        },
    }
    webhook_receiver.answer = lambda request: (
        200,
        {},
        json.dumps(answers[json.loads(request.body)["trigger"]]).encode(),
    )
    calling.write(PATH)
    calling.harvest()
    assert calling.record(PATH).metadata_ == {"sample": "cobalt"}
    before, after = (json.loads(request.body) for request in webhook_receiver.received)
    assert (before["version"], before["instrument"], before["parameters"]) == (1, "microscope_01", {"lab": "A"})
    assert (before["file"]["source_path"], before["file"]["sha256"]) == (PATH, None)
    assert after["file"]["sha256"] == calling.version(PATH).sha256
    assert [(run.outcome, run.message) for run in runs(calling)] == [
        ("proceed", ""),
        ("enriched", "1 metadata, 1 grants"),
    ]


def test_a_file_waits_for_a_hook_that_fails_and_is_asked_about_again_by_its_policy(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    hook = add_webhook(retry_delay_seconds=60)
    answering(webhook_receiver, {}, status=503)
    calling.write(PATH)
    calling.harvest()

    version = calling.version(PATH)
    assert version.state == VersionState.SETTLED
    assert version.reason == "the webhook: the answer's status is 503: not now"
    failing = retry(calling)
    assert version.retry_at == failing.retry_at
    assert (version.retry_at - calling.clock.time).total_seconds() == 60
    assert (failing.failures, failing.hook_id) == (1, hook.id)

    calling.harvest()
    assert len(webhook_receiver.received) == 1, "it is too early"
    assert days(calling) == 0
    calling.clock.wait(60)
    assert days(calling) == 1
    calling.harvest()
    assert (calling.version(PATH).retry_at - calling.clock.time).total_seconds() == 120
    ids = {request.headers["webhook-id"] for request in webhook_receiver.received}
    assert (len(webhook_receiver.received), len(ids)) == (2, 1), "a further attempt at the same message"

    answering(webhook_receiver, {"decision": "proceed"})
    calling.clock.wait(120)
    calling.harvest()
    version = calling.version(PATH)
    assert version.state == VersionState.ARCHIVED
    assert retry(calling) is None
    assert [run.outcome for run in runs(calling)] == ["failed", "failed", "proceed"]


def test_a_file_is_asked_about_at_once_when_its_hooks_have_changed(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    hook = add_webhook()
    answering(webhook_receiver, {"decision": "perhaps"})
    calling.write(PATH)
    calling.harvest()
    assert "the webhook: the answer.decision can't be used: should be 'proceed'" in calling.version(PATH).reason
    calling.change(hook, config={"parameters": {"lab": "B"}})
    answering(webhook_receiver, {"decision": "proceed"})
    assert days(calling) == 1
    calling.harvest()
    assert calling.version(PATH).state == VersionState.ARCHIVED


def test_only_a_hook_that_says_so_lets_a_file_proceed_unjudged_and_only_after_its_attempts(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    add_webhook(attempts=3, retry_delay_seconds=1, on_failure="proceed")
    answering(webhook_receiver, {}, status=404)
    calling.write(PATH)
    states = []
    for _ in range(3):
        calling.harvest()
        states.append(calling.version(PATH).state)
        calling.clock.wait(10)
    assert states == [VersionState.SETTLED, VersionState.SETTLED, VersionState.ARCHIVED]
    assert [run.message.partition(";")[2] for run in runs(calling)] == [
        "",
        "",
        " the file proceeds unjudged, as the hook's on_failure says",
    ]


def test_a_failing_hook_after_the_transfer_is_on_record_and_asked_again(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    add_webhook("post_transfer", retry_delay_seconds=60)
    pattern = r"/(?P<name>\w+)\.csv"
    calling.add_hook("metadata_enrichment", "post_transfer", rules=[{"pattern": pattern, "source": "path"}])
    answering(webhook_receiver, {"metadata": {"sample": 1}})
    calling.write(PATH)
    calling.harvest()
    version = calling.version(PATH)
    assert version.state == VersionState.ARCHIVED
    assert version.enrichment_error == "the webhook: the answer.metadata.sample can't be used: should be a valid string"
    assert calling.record(PATH).metadata_ == {"name": "a"}, "what the others found is kept"

    calling.harvest()
    assert len(webhook_receiver.received) == 1
    assert days(calling) == 0
    calling.clock.wait(60)
    assert days(calling) == 1
    answering(webhook_receiver, {"metadata": {"sample": "cobalt"}})
    calling.harvest()
    assert calling.record(PATH).metadata_ == {"name": "a", "sample": "cobalt"}
    version = calling.version(PATH)
    assert version.enrichment_error is None
    assert retry(calling) is None
    assert days(calling) == 0


def test_what_a_hook_told_before_stays_while_it_fails(calling: Any, add_webhook: Any, webhook_receiver: Any) -> None:
    hook = add_webhook("post_transfer")
    answering(webhook_receiver, {"metadata": {"sample": "cobalt"}})
    calling.write(PATH)
    calling.harvest()
    calling.change(hook, config={"parameters": {"lab": "B"}})
    answering(webhook_receiver, {}, status=500)
    calling.harvest()
    assert calling.version(PATH).enrichment_error is not None
    assert calling.record(PATH).metadata_ == {"sample": "cobalt"}


def test_nothing_is_locked_and_no_transaction_is_open_while_hooks_are_asked(
    calling: Any, add_webhook: Any, webhook_receiver: Any, engine: Engine
) -> None:
    add_webhook("pre_transfer")
    add_webhook("post_transfer")
    held: list[Any] = []

    def answer(request: Any) -> Any:
        with engine.connect() as connection:
            ours = "datname = current_database() AND pid <> pg_backend_pid()"
            held.extend(
                connection.scalars(text(f"SELECT state FROM pg_stat_activity WHERE {ours} AND state <> 'idle'"))
            )
            held.extend(connection.scalars(text("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")))
        post = json.loads(request.body)["trigger"] == "post_transfer"
        return 200, {}, json.dumps({"metadata": {}} if post else {"decision": "proceed"}).encode()

    webhook_receiver.answer = answer
    calling.write(PATH)
    calling.harvest()
    assert len(webhook_receiver.received) == 2
    assert held == []


def test_an_answer_about_a_file_that_changed_meanwhile_does_not_count(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    add_webhook()
    calling.write(PATH)

    def answer(request: Any) -> Any:
        calling.change(calling.version(PATH), size_bytes=json.loads(request.body)["file"]["size_bytes"] + 1)
        return 200, {}, b'{"decision": "skip", "reason": "too small"}'

    webhook_receiver.answer = answer
    calling.harvest()
    assert calling.version(PATH).state == VersionState.SETTLED
    answering(webhook_receiver, {"decision": "skip", "reason": "large enough"})
    filter_files(calling.facility, calling.instrument)
    assert calling.version(PATH).reason == "large enough"


def test_an_answer_of_hooks_that_changed_meanwhile_does_not_count(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    hooks = {"pre_transfer": add_webhook("pre_transfer"), "post_transfer": add_webhook("post_transfer")}
    answers = {"pre_transfer": {"decision": "skip", "reason": "no"}, "post_transfer": {"metadata": {"a": "1"}}}

    def answer(request: Any) -> Any:
        asked = json.loads(request.body)
        if "lab" not in asked["parameters"]:
            calling.change(hooks[asked["trigger"]], config={"parameters": {"lab": "B"}})
            return 200, {}, json.dumps(answers[asked["trigger"]]).encode()
        return 200, {}, json.dumps({"decision": "proceed"} if "pre" in asked["trigger"] else {"metadata": {}}).encode()

    webhook_receiver.answer = answer
    calling.write(PATH)
    calling.harvest()
    assert calling.version(PATH).state == VersionState.SETTLED
    calling.harvest()
    assert calling.version(PATH).state == VersionState.ARCHIVED
    assert calling.record(PATH).metadata_ == {}
    enrich_files(calling.facility, calling.instrument)
    assert calling.version(PATH).enriched_hooks is not None


def test_files_are_asked_about_side_by_side_but_only_so_many(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    add_webhook()
    for number in range(AT_ONCE * 3):
        calling.write(f"microscope/{number}.csv")
    at_once, most = 0, 0
    all_there = threading.Barrier(AT_ONCE)
    lock = threading.Lock()

    def answer(_request: Any) -> Any:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        all_there.wait(timeout=30)  # breaks unless so many are asked about at once
        with lock:
            at_once -= 1
        return 200, {}, b'{"decision": "proceed"}'

    webhook_receiver.answer = answer
    calling.harvest()
    assert most == AT_ONCE
    assert set(calling.states().values()) == {VersionState.ARCHIVED}


def test_a_hook_that_hangs_is_left_alone_for_the_rest_of_the_run(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    add_webhook(timeout_seconds=0.3)
    for number in range(30):
        calling.write(f"microscope/{number:02}.csv")
    over = threading.Event()

    def hang(_request: Any) -> Any:
        over.wait(60)
        return 200, {}, b'{"decision": "proceed"}'

    webhook_receiver.answer = hang
    calling.harvest()
    over.set()
    assert len(runs(calling)) == AT_ONCE, "asked about side by side, and then about no other file"
    assert {run.outcome for run in runs(calling)} == {"timed_out"}
    reasons = Counter(calling.version(path).reason for path in calling.states())
    assert reasons["the webhook: not asked: 3 times in a row it gave no answer in time; this run leaves it alone"] > 20
    assert set(calling.states().values()) == {VersionState.SETTLED}
    calling.clock.wait(60)
    calling.harvest()
    assert set(calling.states().values()) == {VersionState.ARCHIVED}


def test_one_file_on_which_a_script_hangs_or_fails_does_not_concern_the_others(calling: Any, add_script: Any) -> None:
    add_script(
        "import json, sys, time\n"
        "name = json.load(sys.stdin)['file']['filename']\n"
        "if name == '03.csv': time.sleep(600)\n"
        "if name == '04.csv': raise SystemError('out of order')\n"
        "print(json.dumps({'decision': 'proceed'}))",
        timeout_seconds=2,
    )
    for number in range(8):
        calling.write(f"microscope/{number:02}.csv")
    calling.harvest()
    states = calling.states()
    assert [path for path, state in states.items() if state != VersionState.ARCHIVED] == [
        "microscope/03.csv",
        "microscope/04.csv",
    ]
    assert "no answer within 2 seconds" in calling.version("microscope/03.csv").reason
    (failed,) = (run for run in runs(calling) if run.outcome == "failed")
    assert failed.message == "the script ended with exit status 1"
    assert "SystemError: out of order" in failed.diagnostics


@pytest.mark.parametrize("path", ["missing.py", "../hook.py"])
def test_a_script_that_is_not_there_stops_no_harvest(calling: Any, add_script: Any, path: str) -> None:
    hook = add_script(SKIPS_TEMPORARY)
    calling.change(hook, script_path=path)
    calling.write(PATH)
    calling.harvest()
    assert calling.version(PATH).state == VersionState.SETTLED
    assert calling.version(PATH).reason.startswith("the script: the script")
    calling.change(hook, script_path="hook.py")
    calling.harvest()
    assert calling.version(PATH).state == VersionState.ARCHIVED


def test_an_answer_with_a_key_that_the_catalog_can_not_hold_stops_no_harvest(calling: Any, add_script: Any) -> None:
    add_script("""print('{"metadata": {"a\\\\u0000b": "c"}}')""", trigger="post_transfer")
    calling.write(PATH)
    calling.harvest()
    assert calling.version(PATH).enrichment_error.endswith("must not hold control characters")
    assert [run.outcome for run in runs(calling)] == ["failed"]


def test_a_secret_that_can_not_be_opened_stops_no_harvest(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    hook = add_webhook()
    calling.change(hook, sealed_webhook_secret=b"sealed with another key")
    calling.write(PATH)
    calling.harvest()
    assert "its secret can't be opened" in calling.version(PATH).reason
    assert webhook_receiver.received == []


def test_of_a_hook_that_keeps_failing_the_newest_runs_are_kept(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    add_webhook(retry_delay_seconds=1)
    answering(webhook_receiver, {}, status=500)
    calling.write(PATH)
    calling.harvest()
    for _ in range(RUNS_KEPT + 3):
        calling.clock.wait(3600)
        filter_files(calling.facility, calling.instrument)
    assert len(webhook_receiver.received) == RUNS_KEPT + 4
    kept = runs(calling)
    assert len(kept) == RUNS_KEPT
    assert max(run.started_at for run in kept) == calling.clock.time


def test_without_a_destination_nobody_is_asked(calling: Any, add_webhook: Any, webhook_receiver: Any) -> None:
    add_webhook()
    calling.change(calling.location, enabled=False)
    calling.write(PATH)
    calling.harvest()
    assert webhook_receiver.received == []
    assert "no enabled schedule" in calling.version(PATH).reason


def test_an_earlier_hook_that_skips_spares_the_later_ones(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    calling.add_hook("file_filter", "pre_transfer", exclude_patterns=["*.tmp"])
    add_webhook()
    answering(webhook_receiver, {"decision": "proceed"})
    calling.write("microscope/a.tmp")
    calling.write(PATH)
    calling.harvest()
    assert asked_about(webhook_receiver) == ["a.csv"]


def test_a_file_that_is_let_through_without_being_asked_about_is_on_record_too(
    calling: Any, add_webhook: Any, webhook_receiver: Any
) -> None:
    add_webhook(timeout_seconds=0.2, attempts=1, on_failure="proceed")
    for number in range(12):
        calling.write(f"microscope/{number:02}.csv")
    over = threading.Event()
    webhook_receiver.answer = lambda request: (over.wait(60) and 200, {}, b"")
    calling.harvest()
    over.set()
    assert set(calling.states().values()) == {VersionState.ARCHIVED}
    assert len(runs(calling)) == 12
    assert all("proceeds unjudged" in run.message for run in runs(calling))
    assert len(webhook_receiver.received) < 12
