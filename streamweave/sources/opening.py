"""From a row of the catalog to a source that can be listed and read."""

from typing import Any

from streamweave.catalog.tables.instruments import Instrument
from streamweave.errors import CredentialsRefused, InvalidInput
from streamweave.sources.base import Source
from streamweave.sources.smb import SmbAddress, SmbSource

DEFAULT_TIMEOUT_SECONDS = 30.0
LONGEST_TIMEOUT_SECONDS = 3600


def open_source(instrument: Instrument, password: str, *, patience_seconds: float = LONGEST_TIMEOUT_SECONDS) -> Source:
    """One connection to the instrument's share, not yet made; ``password`` is its service account's.

    ``transfer_config`` may set ``timeout_seconds``; no wait is longer than ``patience_seconds``. Raises
    ``CredentialsRefused`` for an instrument without an account, and ``InvalidInput`` for a timeout that is none.
    """
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
            timeout_seconds=min(_timeout_seconds(instrument.transfer_config or {}), patience_seconds),
        )
    )


def _timeout_seconds(transfer_config: dict[str, Any]) -> float:
    seconds = transfer_config.get("timeout_seconds", DEFAULT_TIMEOUT_SECONDS)
    if not isinstance(seconds, int | float) or not 1 <= seconds <= LONGEST_TIMEOUT_SECONDS:
        problem = f"timeout_seconds must be a number from 1 to {LONGEST_TIMEOUT_SECONDS}, not {seconds!r}"
        raise InvalidInput("transfer_config", problem)
    return float(seconds)
