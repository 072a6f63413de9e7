"""Hooks: the contract of a configured step before or after a transfer.

A hook decides about or enriches one file from what it is shown. It changes nothing: the harvest acts on the answer.
Its configuration is read strictly when it is entered, so that no harvest stumbles over it later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class HookContext:
    """What a hook is shown of a file.

    ``source_path`` begins with the share's name and uses ``/``; ``filename`` is its last part. ``mtime`` is in UTC.
    The digests (XXH64 and SHA-256 in hexadecimal) are known only after the transfer; ``metadata`` is what the file has
    so far.
    """

    instrument_slug: str
    source_path: str
    filename: str
    size_bytes: int
    mtime: datetime
    xxhash: str | None = None
    sha256: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proceed:
    """Transfer the file to where the schedules say."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Don't transfer the file. ``reason`` is a sentence for users, and is recorded."""

    reason: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Transfer the file to the storage location named ``destination`` instead."""

    destination: str
    reason: str


Decision = Proceed | Skip | Redirect


@dataclass(frozen=True, slots=True)
class Enrichment:
    """Metadata to add to a file's, and whom to show it to. A key that the file has already gets the new value."""

    metadata: Mapping[str, str]
    grants: frozenset[Grantee | NamedGrantee] = frozenset()


class PreTransferHook(Protocol):
    """A step that decides whether, and to where, a file is transferred."""

    @property
    def name(self) -> str:
        """What people call this hook."""

    def decide(self, context: HookContext) -> Decision:
        """Decide about one file. Raises ``HookFailed`` when it can't."""


class PostTransferHook(Protocol):
    """A step that adds metadata and grants to an archived file."""

    @property
    def name(self) -> str:
        """What people call this hook."""

    def enrich(self, context: HookContext) -> Enrichment:
        """Metadata and grants for one file. Raises ``HookFailed`` when it can't."""


class HookConfig(BaseModel):
    """A hook's configuration, or a part of it. Types are taken as they are: the text ``"10"`` is no number."""

    model_config = ConfigDict(strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _every_key_is_known(cls, entered: Any) -> Any:
        unknown = set(entered) - set(cls.model_fields) if isinstance(entered, Mapping) else set()
        if unknown:
            raise ValueError(f"unknown key {min(map(repr, unknown))}; the keys are {', '.join(cls.model_fields)}")
        return entered


Config = TypeVar("Config", bound=HookConfig)


def read_config(model: type[Config], entered: object, whole: str = "config") -> Config:
    """What was entered as the field ``whole``, as ``model``.

    Raises ``InvalidInput`` for the first problem, its field written like ``config.rules[0].pattern``.
    """
    try:
        return model.model_validate(entered)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        raise InvalidInput(whole + _path(first), _problem(first)) from invalid


def _path(error: ErrorDetails) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"])


def _problem(error: ErrorDetails) -> str:
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing":
            return "is required"
        case "model_type":
            return "must be an object with keys"
        case _:
            return error["msg"].replace("Input should", "should", 1)
