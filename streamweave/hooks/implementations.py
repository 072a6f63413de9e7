"""Implementations: which fields each of them needs, and the form in which its row is kept."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from streamweave.catalog.tables import Hook, HookImplementation, HookTrigger
from streamweave.errors import HookFailed, InvalidInput
from streamweave.hooks.base import read_config
from streamweave.hooks.calling.policy import CallConfig, ScriptConfig, WebhookConfig
from streamweave.hooks.calling.reach import Reach
from streamweave.webhooks import EgressPolicy, check_url

NEEDS: Mapping[str, str] = {
    HookImplementation.BUILTIN: "builtin_name",
    HookImplementation.PYTHON_SCRIPT: "script_path",
    HookImplementation.HTTP_WEBHOOK: "webhook_url",
}
CONFIGS: Mapping[str, type[CallConfig]] = {
    HookImplementation.PYTHON_SCRIPT: ScriptConfig,
    HookImplementation.HTTP_WEBHOOK: WebhookConfig,
}
MADE_OF = ("trigger", "implementation", "builtin_name", "script_path", "webhook_url", "config")
SCRIPTED = frozenset({"implementation", "script_path"})
SECRET = "webhook_secret"
SEALED = "sealed_webhook_secret"


def settled(fields: Mapping[str, Any], known: Hook | None, reach: Reach) -> dict[str, Any]:
    """The fields of a new hook, or of a change to a ``known`` one, in the form in which they are kept.

    A secret that is known goes on to be used for the same address only. Raises ``InvalidInput`` or ``SealBroken``.
    """
    kept = {field: value for field, value in fields.items() if field != SECRET}
    whole = Hook(**{field: fields.get(field, getattr(known, field, None)) for field in MADE_OF})
    _check_needs(whole)
    if whole.implementation in CONFIGS:
        _check_config(whole)
    if whole.implementation == HookImplementation.PYTHON_SCRIPT and (known is None or SCRIPTED & fields.keys()):
        _check_script(whole, reach)
    if whole.implementation == HookImplementation.HTTP_WEBHOOK:
        return {**kept, SEALED: _sealed(whole, fields.get(SECRET), known, reach)}
    if SECRET in fields:
        raise InvalidInput(SECRET, "is for hooks of the implementation http_webhook only")
    return {**kept, SEALED: None}


def _check_needs(whole: Hook) -> None:
    for implementation, field in NEEDS.items():
        value = getattr(whole, field)
        if implementation == whole.implementation and value is None:
            raise InvalidInput(field, "is required")
        if implementation != whole.implementation and value is not None:
            raise InvalidInput(field, f"must be null for a hook of the implementation {whole.implementation}")


def _check_config(whole: Hook) -> None:
    config = read_config(CONFIGS[whole.implementation], whole.config)
    if config.on_failure == "proceed" and whole.trigger != HookTrigger.PRE_TRANSFER:
        raise InvalidInput("config.on_failure", "must be wait: only a hook before a transfer can let a file proceed")


def _check_script(whole: Hook, reach: Reach) -> None:
    try:
        reach.script(str(whole.script_path))
    except HookFailed as failure:
        raise InvalidInput("script_path", str(failure)) from failure


def _sealed(whole: Hook, secret: str | None, known: Hook | None, reach: Reach) -> bytes:
    url = str(whole.webhook_url)
    _check_reachable(url, reach.egress)
    if secret is not None:
        return reach.sealed(secret)
    if known is not None and known.sealed_webhook_secret is not None and known.webhook_url == url:
        return known.sealed_webhook_secret
    raise InvalidInput(SECRET, "is required, also for another address")


def _check_reachable(url: str, policy: EgressPolicy) -> None:
    """As far as can be told without asking anybody: what a name leads to is judged at every call."""
    parts = check_url(url)
    encrypted = parts.scheme == "https"
    if not encrypted and not policy.networks:
        raise InvalidInput("webhook_url", "must begin with https://: STREAMWEAVE_WEBHOOK_NETWORKS lists no network")
    try:
        address = ipaddress.ip_address(parts.host)
    except ValueError:
        return
    if not (policy.allows if encrypted else policy.allows_http)(address):
        raise InvalidInput("webhook_url", "is an address that webhooks may not reach")
