"""Shares read over SMB 2 and 3."""

from streamweave.sources.smb.address import Engine, SmbAddress
from streamweave.sources.smb.source import SmbSource

__all__ = ["Engine", "SmbAddress", "SmbSource"]
