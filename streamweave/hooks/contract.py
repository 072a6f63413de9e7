"""The contract in JSON: what a hook that calls out is sent about a file, and how its answer is read.

An answer is read strictly: one that is not understood is a failure, and never consent. Nothing in a question changes
from attempt to attempt, so that the same question is the same message.
"""

import json
import uuid
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.catalog.tables import GranteeType, HookTrigger
from streamweave.errors import HookFailed, InvalidInput
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
from streamweave.validation import has_control_character

VERSION = 1
MOST_KEYS = 200
LONGEST_SENTENCE = 1_000
LONGEST_VALUE = 4_000


def _plain(text: str) -> str:
    if has_control_character(text):
        raise ValueError("must not hold control characters")
    return text


def _storable(text: str) -> str:
    if has_control_character(text.translate({9: None, 10: None, 13: None})):
        raise ValueError("must not hold control characters")
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
