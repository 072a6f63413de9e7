"""The catalog's tables, one file for each noun. Constraints and indexes stand beside the columns they guard."""

from streamweave.catalog.tables.alerts import (
    Alert,
    AlertChannel,
    AlertDelivery,
    AlertEvent,
    AlertKind,
    AlertWatch,
    DeliveryStatus,
    SubjectType,
)
from streamweave.catalog.tables.api_tokens import ApiToken, TokenScope
from streamweave.catalog.tables.audit_log import AuditAction, AuditEntry
from streamweave.catalog.tables.base import Base
from streamweave.catalog.tables.catalog_identity import CatalogIdentity
from streamweave.catalog.tables.certificates import IssuedCertificate
from streamweave.catalog.tables.deletable import Deletable
from streamweave.catalog.tables.file_records import FileRecord
from streamweave.catalog.tables.file_versions import FileVersion, VersionState
from streamweave.catalog.tables.fixity import FixityCheck, FixityHold, FixityOutcome, FixitySweep, SweepKind
from streamweave.catalog.tables.grants import FileGrant, GranteeType, InstrumentGrant, PendingGrant
from streamweave.catalog.tables.groups import Group, GroupMember
from streamweave.catalog.tables.harvest_runs import HarvestRun
from streamweave.catalog.tables.hook_runs import HookOutcome, HookRun
from streamweave.catalog.tables.hooks import Hook, HookImplementation, HookTrigger
from streamweave.catalog.tables.instrument_requests import InstrumentRequest, RequestStatus
from streamweave.catalog.tables.instruments import Authentication, GrowingFiles, Instrument
from streamweave.catalog.tables.journals import IdentifierAlias, JournalPosition, Readoption
from streamweave.catalog.tables.login_counts import KnownAddress, LoginCount
from streamweave.catalog.tables.mailed_tokens import MailedToken, MailPurpose
from streamweave.catalog.tables.notifications import Notification
from streamweave.catalog.tables.projects import MemberType, Project, ProjectMember
from streamweave.catalog.tables.revoked_tokens import RevokedToken
from streamweave.catalog.tables.run_leases import RunLease
from streamweave.catalog.tables.scans import Scan, ScanOutcome
from streamweave.catalog.tables.schedules import Schedule
from streamweave.catalog.tables.service_accounts import ServiceAccount
from streamweave.catalog.tables.storage_locations import StorageLocation, StorageType
from streamweave.catalog.tables.transfers import LIVE, ONCE_COMPLETED, Transfer, TransferStatus
from streamweave.catalog.tables.unfinished_looks import UnfinishedLook
from streamweave.catalog.tables.users import Role, User

__all__ = [
    "LIVE",
    "ONCE_COMPLETED",
    "Alert",
    "AlertChannel",
    "AlertDelivery",
    "AlertEvent",
    "AlertKind",
    "AlertWatch",
    "ApiToken",
    "AuditAction",
    "AuditEntry",
    "Authentication",
    "Base",
    "CatalogIdentity",
    "Deletable",
    "DeliveryStatus",
    "FileGrant",
    "FileRecord",
    "FileVersion",
    "FixityCheck",
    "FixityHold",
    "FixityOutcome",
    "FixitySweep",
    "GranteeType",
    "Group",
    "GroupMember",
    "GrowingFiles",
    "HarvestRun",
    "Hook",
    "HookImplementation",
    "HookOutcome",
    "HookRun",
    "HookTrigger",
    "IdentifierAlias",
    "Instrument",
    "InstrumentGrant",
    "InstrumentRequest",
    "IssuedCertificate",
    "JournalPosition",
    "KnownAddress",
    "LoginCount",
    "MailPurpose",
    "MailedToken",
    "MemberType",
    "Notification",
    "PendingGrant",
    "Project",
    "ProjectMember",
    "Readoption",
    "RequestStatus",
    "RevokedToken",
    "Role",
    "RunLease",
    "Scan",
    "ScanOutcome",
    "Schedule",
    "ServiceAccount",
    "StorageLocation",
    "StorageType",
    "SubjectType",
    "SweepKind",
    "TokenScope",
    "Transfer",
    "TransferStatus",
    "UnfinishedLook",
    "User",
    "VersionState",
]
