"""The catalog's tables, one file for each noun. Constraints and indexes stand beside the columns they guard."""

from streamweave.catalog.tables.base import Base
from streamweave.catalog.tables.file_records import FileRecord
from streamweave.catalog.tables.file_versions import FileVersion, VersionState
from streamweave.catalog.tables.harvest_runs import HarvestRun
from streamweave.catalog.tables.hooks import Hook, HookImplementation, HookTrigger
from streamweave.catalog.tables.instruments import Instrument
from streamweave.catalog.tables.scans import Scan, ScanOutcome
from streamweave.catalog.tables.schedules import Schedule
from streamweave.catalog.tables.service_accounts import ServiceAccount
from streamweave.catalog.tables.storage_locations import StorageLocation, StorageType
from streamweave.catalog.tables.transfers import Transfer, TransferStatus
from streamweave.catalog.tables.users import Role, User

__all__ = [
    "Base",
    "FileRecord",
    "FileVersion",
    "HarvestRun",
    "Hook",
    "HookImplementation",
    "HookTrigger",
    "Instrument",
    "Role",
    "Scan",
    "ScanOutcome",
    "Schedule",
    "ServiceAccount",
    "StorageLocation",
    "StorageType",
    "Transfer",
    "TransferStatus",
    "User",
    "VersionState",
]
