"""From a row of the catalog to a source that can be listed and read."""

from time import monotonic
from typing import Any, get_args

from streamweave.catalog.tables.instruments import Instrument
from streamweave.errors import CredentialsRefused, InvalidInput
from streamweave.sources.base import ListingLimits, Source
from streamweave.sources.smb import Engine, SmbAddress, SmbSource

DEFAULT_TIMEOUT_SECONDS = 45.0  # longer than servers wait (35 s) for a sleeping client to let go of a file
LONGEST_TIMEOUT_SECONDS = 3600
LIMITS = {"folder_entries": "entries", "folder_seconds": "seconds", "folder_depth": "depth", "folders": "folders"}
"""By the key in ``transfer_config``; ``streamweave.instruments.fields`` lets values in."""


def open_source(
    instrument: Instrument,
    password: str,
    *,
    patience_seconds: float = LONGEST_TIMEOUT_SECONDS,
    ends_after_seconds: float | None = None,
) -> Source:
    """A connection to the instrument's share, not yet made; ``password`` is its service account's.

    ``transfer_config`` may set ``timeout_seconds``, ``engine`` as ``SmbAddress`` has it, and the ``ListingLimits``; no
    wait is longer than ``patience_seconds``, and all work ends ``ends_after_seconds`` from now. Raises
    ``CredentialsRefused`` for an instrument without an account, and ``InvalidInput`` for an invalid timeout or engine.
    """
    config = instrument.transfer_config or {}
    account = instrument.service_account
    if account is None:
        raise CredentialsRefused(f"Instrument {instrument.name!r} has no service account")
    return SmbSource(
        SmbAddress(
            host=instrument.cifs_host,
            port=instrument.cifs_port,
            share=instrument.cifs_share,
            base_path=instrument.cifs_base_path,
            username=account.username,
            password=password,
            domain=account.domain,
            timeout_seconds=min(_timeout_seconds(config), patience_seconds),
            engine=_engine(config),
            limits=ListingLimits(**{LIMITS[key]: value for key, value in config.items() if key in LIMITS}),
            deadline=None if ends_after_seconds is None else monotonic() + ends_after_seconds,
            require_encryption=instrument.require_encryption,
            authentication=instrument.authentication,  # type: ignore[arg-type] # a constraint lets no other word in
            allowed_hosts=tuple(account.allowed_hosts),
        )
    )


def _timeout_seconds(transfer_config: dict[str, Any]) -> float:
    seconds = transfer_config.get("timeout_seconds", DEFAULT_TIMEOUT_SECONDS)
    if not isinstance(seconds, int | float) or not 1 <= seconds <= LONGEST_TIMEOUT_SECONDS:
        problem = f"timeout_seconds must be a number from 1 to {LONGEST_TIMEOUT_SECONDS}, not {seconds!r}"
        raise InvalidInput("transfer_config", problem)
    return float(seconds)


def _engine(transfer_config: dict[str, Any]) -> Engine:
    engine: Engine = transfer_config.get("engine", "auto")
    if engine not in get_args(Engine):
        raise InvalidInput("transfer_config", f"engine must be one of {', '.join(get_args(Engine))}, not {engine!r}")
    return engine
