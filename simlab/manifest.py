"""The manifest: a laboratory described to whoever configures a harvester with it.

A JSON object of lists, `service_accounts`, `storage_locations`, `instruments`, `schedules` and `hooks`, whose entries
refer to each other by name (instruments by slug). It holds the service account's password.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from simlab.private_file import write_private_file
from simlab.seed import SimulatedInstrument

Entry = dict[str, Any]

SERVICE_ACCOUNT = "simlab-service"
ARCHIVE, RESTRICTED = "Archive Storage", "Restricted Storage"
STORAGE_OF_INSTRUMENT = {
    "microscope_01": ARCHIVE,
    "spectrometer_01": ARCHIVE,
    "x_ray_diffraction_01": RESTRICTED,
}
HOOKS: tuple[Entry, ...] = (
    {
        "name": "Microscope File Filter",
        "description": "Exclude temporary files from microscope harvests",
        "trigger": "pre_transfer",
        "implementation": "builtin",
        "builtin_name": "file_filter",
        "config": {"exclude_patterns": ["*.tmp", "*.lock", "~$*"]},
        "instrument": "microscope_01",
        "priority": 0,
        "enabled": True,
    },
    {
        "name": "Microscope Metadata Enrichment",
        "description": "Extract experiment and run info from file paths",
        "trigger": "post_transfer",
        "implementation": "builtin",
        "builtin_name": "metadata_enrichment",
        "config": {
            "rules": [
                {
                    "pattern": r"/(?P<username>[a-z][a-z0-9_]*)/(?P<experiment>experiment_\d+)",
                    "source": "path",
                }
            ]
        },
        "instrument": "microscope_01",
        "priority": 0,
        "enabled": True,
    },
)


class Address(Protocol):
    """Where an instrument's share is reached: a share server here, or a host elsewhere."""

    @property
    def host(self) -> str:
        """Its name or IP address."""

    @property
    def port(self) -> int:
        """Its TCP port."""


def manifest(
    instruments: Sequence[tuple[SimulatedInstrument, Address]],
    *,
    username: str,
    password: str,
    storage_root: Path,
) -> dict[str, list[Entry]]:
    """Describe `instruments`, each with the address of its share, and storage locations under `storage_root`."""
    account = {"name": SERVICE_ACCOUNT, "domain": "WORKGROUP", "username": username, "password": password}
    return {
        "service_accounts": [account],
        "storage_locations": [
            _storage_location(ARCHIVE, storage_root / "archive"),
            _storage_location(RESTRICTED, storage_root / "restricted"),
        ],
        "instruments": [_instrument(instrument, server) for instrument, server in instruments],
        "schedules": [_schedule(instrument) for instrument, _ in instruments],
        "hooks": list(HOOKS),
    }


def as_json(content: dict[str, list[Entry]]) -> str:
    """Return the manifest as it is handed over."""
    return json.dumps(content, indent=2)


def write_manifest(path: Path, content: dict[str, list[Entry]]) -> None:
    """Write the manifest in one step, readable by its owner alone."""
    write_private_file(path, as_json(content) + "\n")


def _storage_location(name: str, base_path: Path) -> Entry:
    return {
        "name": name,
        "type": "posix",
        "connection_config": {},
        "base_path": str(base_path),
        "enabled": True,
    }


def _instrument(instrument: SimulatedInstrument, address: Address) -> Entry:
    return {
        "slug": instrument.slug,
        "name": instrument.name,
        "description": instrument.description,
        "location": instrument.location,
        "cifs_host": address.host,
        "cifs_port": address.port,
        "cifs_share": instrument.share,
        "cifs_base_path": "/",
        "service_account": SERVICE_ACCOUNT,
        "transfer_adapter": "smb",
        "timezone": "UTC",
        "quiet_period_seconds": 5,
        "poll_interval_seconds": 10,
        "enabled": True,
    }


def _schedule(instrument: SimulatedInstrument) -> Entry:
    return {
        "instrument": instrument.slug,
        "storage_location": STORAGE_OF_INSTRUMENT[instrument.slug],
        "cron_expression": "*/15 * * * *",
        "enabled": True,
    }
