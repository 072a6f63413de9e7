"""Hooks that call out to a script or a webhook, their configuration, and what they may run and reach.

A hook that can't be used fails when it is asked; no harvest stops for it. Question and answer are JSON: an answer is
read strictly, so one that is not understood is a failure, and never consent. Nothing in a question changes from attempt
to attempt, so that the same question is the same message.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.catalog.tables import GranteeType, Hook, HookImplementation, HookTrigger
from streamweave.errors import HookFailed, HookTimedOut, InvalidInput, SealBroken, WebhookError, WebhookTimedOut
from streamweave.hooks.base import (
    Config,
    Decision,
    Enrichment,
    HookConfig,
    HookContext,
    Proceed,
    Redirect,
    Skip,
    read_config,
)
from streamweave.hooks.builtin import LONGEST_NAME, entered_id
from streamweave.hooks.scripts import LARGEST_ANSWER, Script, ScriptFolder, ScriptLimits, answer_of
from streamweave.sealing import Sealer
from streamweave.settings import Settings
from streamweave.validation import has_control_character
from streamweave.webhooks import EgressPolicy, deliver

LONGEST_DELAY = timedelta(hours=1)
LONGEST_PARAMETERS = 16_384
MEBIBYTE = 1 << 20

Ask = Callable[[bytes], bytes]
VERSION = 1
MOST_KEYS = 200
LONGEST_SENTENCE = 1_000
LONGEST_VALUE = 4_000


def _short(parameters: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(parameters)) > LONGEST_PARAMETERS:
        raise ValueError(f"must have at most {LONGEST_PARAMETERS} characters as JSON")
    return parameters


class CallConfig(HookConfig):
    """What every hook that calls out takes.

    ``parameters`` go along with every question. After a failure a file is asked about again after
    ``retry_delay_seconds``, each time after twice the delay, up to an hour, for as long as it takes.
    """

    timeout_seconds: float = Field(default=30.0, ge=0.1, le=300)
    attempts: int = Field(default=5, ge=1, le=100)
    retry_delay_seconds: int = Field(default=60, ge=1, le=3600)
    on_failure: Literal["wait", "proceed"] = "wait"
    """What becomes of a file once as many attempts have failed; only hooks before a transfer may let it proceed."""
    parameters: Annotated[dict[str, Any], AfterValidator(_short)] = Field(default_factory=dict)


class ScriptConfig(CallConfig):
    """What a script takes besides."""

    memory_mib: int = Field(default=512, ge=64, le=8192)


class WebhookConfig(CallConfig):
    """What a webhook takes."""


def delay_after(failures: int, first_seconds: float) -> timedelta:
    """How long to leave a file alone after its ``failures``-th failure in a row."""
    return min(timedelta(seconds=first_seconds * 2 ** min(failures - 1, 20)), LONGEST_DELAY)


class HookReach:
    """What hooks that call out may run and reach. The facility's settings say it, never a hook's row.

    By default no script may be run, public addresses may be asked, and no secret can be sealed or opened.
    """

    def __init__(
        self, scripts: ScriptFolder | None = None, egress: EgressPolicy | None = None, sealer: Sealer | None = None
    ) -> None:
        self.scripts = scripts or ScriptFolder()
        self.egress = egress or EgressPolicy()
        self._sealer = sealer
        self._known: dict[str, Script | HookFailed] | None = None

    @classmethod
    def told_by(cls, settings: Settings, sealer: Sealer) -> Self:
        return cls(ScriptFolder(settings.hook_scripts_folder), EgressPolicy.listed(settings.webhook_networks), sealer)

    def for_a_run(self) -> Self:
        """The same reach, for which scripts stay as they were first read: a run asks all files the same question."""
        reach = type(self)(self.scripts, self.egress, self._sealer)
        reach._known = {}
        return reach

    def script(self, path: str) -> Script:
        """The script at that path. Raises ``HookFailed``."""
        known = {} if self._known is None else self._known
        if path not in known:
            try:
                known[path] = self.scripts.read(path)
            except HookFailed as failure:
                known[path] = failure
        found = known[path]
        if isinstance(found, HookFailed):
            raise found
        return found

    def sealed(self, secret: str) -> bytes:
        """Raises ``SealBroken`` without a key."""
        return self._seal().seal(secret)

    def opened(self, sealed: bytes) -> str:
        """Raises ``SealBroken`` without the key."""
        return self._seal().open(sealed)

    def _seal(self) -> Sealer:
        if self._sealer is None:
            raise SealBroken("no encryption key: set STREAMWEAVE_ENCRYPTION_KEYS to at least one Fernet key")
        return self._sealer


@dataclass(frozen=True, slots=True)
class CalledHook:
    """A hook that calls out. ``made_of`` is what its answers depend on, as JSON can hold it.

    ``ask`` takes the question and returns the answer; it raises ``HookFailed``.
    """

    id: uuid.UUID
    name: str
    trigger: HookTrigger
    config: CallConfig
    made_of: Mapping[str, object]
    ask: Ask

    def decide(self, context: HookContext) -> Decision:
        """What the answer decides about one file. Raises ``HookFailed``."""
        return decision_from(self._answer(context))

    def enrich(self, context: HookContext) -> Enrichment:
        """What the answer adds to one file. Raises ``HookFailed``."""
        return enrichment_from(self._answer(context))

    def _answer(self, context: HookContext) -> bytes:
        asked = question(self.trigger, self.name, context, self.config.parameters)
        try:
            return self.ask(asked)
        except OSError as error:  # no space for temporary files, no descriptors left
            raise HookFailed(f"it can't be asked: {error}") from error


def called_hook(row: Hook, reach: HookReach) -> CalledHook:
    """The hook of a row whose implementation calls out. Raises ``InvalidInput`` for its ``config``."""
    if row.implementation == HookImplementation.PYTHON_SCRIPT:
        return _script_hook(row, reach)
    return _webhook(row, reach)


def _script_hook(row: Hook, reach: HookReach) -> CalledHook:
    config = read_config(ScriptConfig, row.config)
    made_of: dict[str, object] = {"script": row.script_path, "parameters": config.parameters}
    try:
        script = reach.script(row.script_path or "")
    except HookFailed as failure:
        return _hook(row, config, {**made_of, "sha256": None}, _failing(str(failure)))
    limits = ScriptLimits(config.timeout_seconds, config.memory_mib * MEBIBYTE)
    return _hook(
        row, config, {**made_of, "sha256": script.sha256}, lambda question: answer_of(script, question, limits)
    )


def _webhook(row: Hook, reach: HookReach) -> CalledHook:
    config = read_config(WebhookConfig, row.config)
    made_of: dict[str, object] = {"webhook": row.webhook_url, "parameters": config.parameters}
    try:
        secret = reach.opened(row.sealed_webhook_secret or b"")
    except SealBroken as error:
        return _hook(row, config, made_of, _failing(f"its secret can't be opened: {error}"))
    return _hook(row, config, made_of, _poster(row, secret, reach, config))


def _hook(row: Hook, config: CallConfig, made_of: Mapping[str, object], ask: Ask) -> CalledHook:
    return CalledHook(row.id, row.name, HookTrigger(row.trigger), config, made_of, ask)


def _failing(sentence: str) -> Ask:
    def ask(_question: bytes) -> bytes:
        raise HookFailed(sentence)

    return ask


def _poster(row: Hook, secret: str, reach: HookReach, config: WebhookConfig) -> Ask:
    hook_id, url, policy = row.id, row.webhook_url or "", reach.egress

    def ask(question: bytes) -> bytes:
        named = hashlib.sha256(hook_id.bytes + question).hexdigest()[:32]
        try:
            delivery = deliver(
                url,
                question,
                secret=secret,
                policy=policy,
                timeout_seconds=config.timeout_seconds,
                message_id=f"msg_{named}",
                largest_answer=LARGEST_ANSWER,
            )
        except WebhookTimedOut as error:
            raise HookTimedOut(str(error)) from error
        except WebhookError as error:
            raise HookFailed(str(error)) from error
        return delivery.body

    return ask


def _plain(text: str) -> str:
    if has_control_character(text):
        raise ValueError("must not hold control characters")
    return text


def _storable(text: str) -> str:
    _plain(text.translate({9: None, 10: None, 13: None}))
    return text


Sentence = Annotated[str, Field(min_length=1, max_length=LONGEST_SENTENCE), AfterValidator(_plain)]
Key = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain)]
Value = Annotated[str, Field(max_length=LONGEST_VALUE), AfterValidator(_storable)]


class DecisionAnswer(HookConfig):
    """The answer before a transfer. To skip takes a reason, to redirect the name of a storage location."""

    version: Literal[1] = 1
    decision: Literal["proceed", "skip", "redirect"]
    reason: Sentence | None = None
    destination: Sentence | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.decision == "skip" and self.reason is None:
            raise ValueError("needs a reason to skip")
        if (self.decision == "redirect") != (self.destination is not None):
            raise ValueError("needs a destination to redirect to, and only then")
        return self


class GrantAnswer(HookConfig):
    """Who may see the file: by id, or by name (a user's is the mail address)."""

    grantee_type: Literal["user", "group", "project"]
    grantee_id: Annotated[uuid.UUID, PlainValidator(entered_id, json_schema_input_type=str)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_plain)] | None = None

    @model_validator(mode="after")
    def _says_who_in_one_way(self) -> Self:
        if (self.grantee_id is None) == (self.name is None):
            raise ValueError("needs either grantee_id or name")
        return self

    @property
    def grantee(self) -> Grantee | NamedGrantee:
        """Whom it means."""
        kind = GranteeType(self.grantee_type)
        return Grantee(kind, self.grantee_id) if self.grantee_id else NamedGrantee(kind, str(self.name))


class EnrichmentAnswer(HookConfig):
    """The answer after a transfer."""

    version: Literal[1] = 1
    metadata: dict[Key, Value] = Field(max_length=MOST_KEYS)
    grants: list[GrantAnswer] = Field(default_factory=list, max_length=MOST_KEYS)


def question(trigger: HookTrigger, hook_name: str, context: HookContext, parameters: dict[str, Any]) -> bytes:
    """What a hook is sent: one JSON object, as ``docs/operating.md`` describes it."""
    sent = {
        "version": VERSION,
        "trigger": trigger,
        "hook": hook_name,
        "instrument": context.instrument_slug,
        "file": {
            "source_path": context.source_path,
            "filename": context.filename,
            "size_bytes": context.size_bytes,
            "mtime": context.mtime.isoformat(),
            "xxhash": context.xxhash,
            "sha256": context.sha256,
        },
        "metadata": dict(context.metadata),
        "parameters": parameters,
    }
    return json.dumps(sent, sort_keys=True).encode()


def decision_from(answer: bytes) -> Decision:
    """Raises ``HookFailed`` for what is no decision."""
    read = _read(DecisionAnswer, answer)
    if read.decision == "skip":
        return Skip(str(read.reason))
    if read.destination is not None:
        return Redirect(read.destination, read.reason or f"redirected to '{read.destination}'")
    return Proceed()


def enrichment_from(answer: bytes) -> Enrichment:
    """Raises ``HookFailed`` for an answer that can't be kept."""
    read = _read(EnrichmentAnswer, answer)
    return Enrichment(dict(read.metadata), frozenset(grant.grantee for grant in read.grants))


def _read(model: type[Config], answer: bytes) -> Config:
    try:
        content = json.loads(answer, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise HookFailed("the answer is not JSON") from error
    try:
        return read_config(model, content, "the answer")
    except InvalidInput as error:
        raise HookFailed(_sentence(f"{error.field} can't be used: {error.problem}")) from error


def _sentence(text: str) -> str:
    """As the catalog can hold it: it may quote keys of the answer, whatever they are."""
    return "".join("\ufffd" if has_control_character(each) else each for each in text[:LONGEST_SENTENCE])


def _no_number(word: str) -> None:
    raise ValueError(word)
