"""Which way a share is read: in frames of our own where that is possible, else through smbprotocol's public interface.

Both give the same listings, bytes and errors; the first is several times as fast.
"""

import logging
from dataclasses import replace
from functools import cache

from streamweave.errors import SourceError
from streamweave.sources.smb.address import SmbAddress
from streamweave.sources.smb.connection import ShareConnection
from streamweave.sources.smb.frames.connection import FramesConnection
from streamweave.sources.smb.frames.handover import CanNotTakeOver, HandoverFailed, take_over
from streamweave.sources.smb.opened_share import OpenedShare
from streamweave.sources.smb.public.connection import PublicConnection

logger = logging.getLogger(__name__)


def connect(address: SmbAddress) -> ShareConnection:
    """A new connection to the share.

    Raises ``SourceUnreachable``, ``CredentialsRefused``, ``ShareMissing`` or ``ShareDenied``.
    """
    share = OpenedShare(address)
    try:
        return _fastest(share) if address.engine == "auto" else PublicConnection(share)
    except HandoverFailed:
        share.close()
        return connect(replace(address, engine="public"))
    except SourceError:
        share.close()
        raise


def _fastest(share: OpenedShare) -> ShareConnection:
    try:
        return FramesConnection(share, take_over(share))
    except CanNotTakeOver as reason:
        _say_once(share.address.server, share.address.share, str(reason))
        if isinstance(reason, HandoverFailed):
            raise
        return PublicConnection(share)


@cache
def _say_once(server: str, share: str, reason: str) -> None:
    logger.info("The share %r on %s is read the slower way: %s", share, server, reason)
