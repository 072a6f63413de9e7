"""Shares read over SMB 2 and 3."""

from streamweave.sources.smb.address import Authentication, Engine, SmbAddress
from streamweave.sources.smb.source import SmbSource

__all__ = ["Authentication", "Engine", "SmbAddress", "SmbSource"]
