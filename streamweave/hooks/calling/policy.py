"""The configuration of a hook that calls out: how long it may take, and what follows from a failure."""

import json
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from streamweave.hooks.base import HookConfig

LONGEST_DELAY = timedelta(hours=1)
LONGEST_PARAMETERS = 16_384
MEBIBYTE = 1 << 20


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
