"""Locks that last as long as a transaction."""

import uuid

from sqlalchemy import text
from sqlalchemy.orm import Session


def lock_instrument(session: Session, instrument_id: uuid.UUID) -> None:
    """Let one transaction at a time change the states of an instrument's files; held until this one ends.

    Discovery, filtering, claiming and cataloguing each take it for a moment, so that none decides on what another is
    just changing.
    """
    key = int.from_bytes(instrument_id.bytes[:8], "big", signed=True)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def lock_journals(session: Session, storage_location_id: uuid.UUID) -> None:
    """Let one transaction at a time take from the journals of a location what the catalog does not know.

    To be taken before any instrument's lock.
    """
    key = int.from_bytes(storage_location_id.bytes[8:], "big", signed=True)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def lock_certificates(session: Session, state_sha256: str) -> None:
    """Let one transaction at a time put a certificate on record that says the same; held until this one ends."""
    key = int.from_bytes(bytes.fromhex(state_sha256)[:8], "big", signed=True)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def try_lock_alerts(session: Session) -> bool:
    """Let one transaction at a time begin and end alerts; False while another does, which then needs no second."""
    key = int.from_bytes(b"alerts", "big")
    return bool(session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}))
