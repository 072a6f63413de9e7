"""Instruments, their schedules and service accounts, and requests for new instruments."""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from streamweave.catalog.tables.base import Base, Dated, Deletable, Identified, one_of
from streamweave.catalog.tables.storage import StorageLocation


class ServiceAccount(Identified, Dated, Deletable, Base):
    """Credentials that open shares. The password is sealed (``streamweave.sealing``)."""

    __tablename__ = "service_accounts"

    name: Mapped[str] = mapped_column()
    domain: Mapped[str | None]
    username: Mapped[str]
    sealed_password: Mapped[bytes]
    allowed_hosts: Mapped[list[str]] = mapped_column(
        ARRAY(Text), default=list, comment="host names, *.domain and networks that the password may be sent to"
    )

    __table_args__ = (
        Index("uq_service_accounts_name", name, unique=True, postgresql_where=text("deleted_at IS NULL")),
    )


class GrowingFiles(StrEnum):
    """What becomes of a file that is not finished after the maximum wait."""

    WAIT = "wait"  # it is overdue: an alert is sent, and it is still watched
    VERSIONS = (
        "versions"  # the present content is harvested as a version that says so; the next one waits as long again
    )


class Authentication(StrEnum):
    """How the service account proves to the server who it is."""

    NTLM = "ntlm"
    KERBEROS = "kerberos"
    NEGOTIATE = "negotiate"  # Kerberos where it works, else NTLM


class Instrument(Identified, Dated, Deletable, Base):
    """A machine whose control PC writes files to an SMB share.

    ``slug`` and ``archive_folder`` are fixed at creation, and never given to another instrument, not even when this
    one is deleted: Dagster's names and the archive's paths hang on them.
    """

    __tablename__ = "instruments"

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column()
    description: Mapped[str | None]
    location: Mapped[str | None]
    pid: Mapped[str | None] = mapped_column(comment="the instrument's own persistent identifier")

    cifs_host: Mapped[str]
    cifs_port: Mapped[int] = mapped_column(default=445)
    cifs_share: Mapped[str]
    cifs_base_path: Mapped[str] = mapped_column(default="/")
    service_account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("service_accounts.id"))
    require_encryption: Mapped[bool] = mapped_column(
        default=False, comment="a server that does not encrypt (SMB 3) is refused"
    )
    authentication: Mapped[str] = mapped_column(
        default=Authentication.NTLM, comment="ntlm, kerberos, or negotiate: whichever of them works"
    )
    transfer_adapter: Mapped[str] = mapped_column(default="smb")
    transfer_config: Mapped[dict[str, Any] | None]
    archive_folder: Mapped[str] = mapped_column(unique=True)

    timezone: Mapped[str] = mapped_column(default="UTC", comment="IANA name; acquisition days are counted in it")
    first_acquisition_day: Mapped[date] = mapped_column(default=date(2020, 1, 1))
    quiet_period_seconds: Mapped[int] = mapped_column(default=60)
    max_wait_seconds: Mapped[int] = mapped_column(default=86_400)
    probe_open_writer: Mapped[bool] = mapped_column(default=False)
    marker_suffix: Mapped[str | None] = mapped_column(comment="a file is finished once name + suffix stands beside it")
    shrink_threshold: Mapped[float] = mapped_column(
        default=0.5, comment="a listing with a smaller share of the known files is suspect; 0 accepts any listing"
    )
    poll_interval_seconds: Mapped[int] = mapped_column(default=30)
    max_attempts: Mapped[int] = mapped_column(default=5)
    retry_delay_seconds: Mapped[int] = mapped_column(default=30, comment="of the first retry; each next one doubles it")
    silence_alert_after_seconds: Mapped[int | None] = mapped_column(
        comment="without a new file; null: longer than is usual for it, 0: never"
    )
    enabled: Mapped[bool] = mapped_column(default=True)
    acquisition_depth: Mapped[int | None] = mapped_column(
        comment="folders so many levels below the base path are one acquisition each, and settle as one"
    )
    marker_name: Mapped[str | None] = mapped_column(
        comment="an acquisition is finished once a file of this name stands in its folder"
    )
    growing_files: Mapped[str] = mapped_column(default=GrowingFiles.WAIT)
    rehash_share: Mapped[float] = mapped_column(
        default=0.01, comment="of the archived files, how many are read again at the source by each harvest"
    )
    rehash_bytes: Mapped[int] = mapped_column(default=256 << 20, comment="what one harvest reads again at most")
    rehash_debt_bytes: Mapped[int] = mapped_column(
        default=0, comment="what earlier harvests have read again beyond that; the next ones read so much less"
    )
    cleanup_acknowledged_at: Mapped[datetime | None] = mapped_column(
        comment="when a person said that the share was cleaned up; the next look in doubt is believed"
    )
    last_harvested_at: Mapped[datetime | None]
    address_changed_at: Mapped[datetime | None] = mapped_column(
        comment="when it last got another host, share or base path; null: never"
    )

    service_account: Mapped[ServiceAccount | None] = relationship(lazy="joined")

    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9][a-z0-9_]*$'", name="slug_is_a_word"),
        CheckConstraint("cifs_port BETWEEN 1 AND 65535", name="port_is_a_port"),
        CheckConstraint("quiet_period_seconds >= 1", name="quiet_period_is_positive"),
        CheckConstraint("max_wait_seconds >= quiet_period_seconds", name="wait_outlasts_quiet_period"),
        CheckConstraint("poll_interval_seconds >= 1", name="poll_interval_is_positive"),
        CheckConstraint("shrink_threshold BETWEEN 0 AND 1", name="shrink_threshold_is_a_share"),
        CheckConstraint("max_attempts >= 1", name="attempts_are_positive"),
        CheckConstraint("retry_delay_seconds >= 1", name="retry_delay_is_positive"),
        CheckConstraint("silence_alert_after_seconds >= 0", name="silence_is_no_negative_time"),
        CheckConstraint("acquisition_depth >= 1", name="acquisition_depth_is_positive"),
        CheckConstraint("marker_name IS NULL OR acquisition_depth IS NOT NULL", name="marker_name_has_a_folder"),
        one_of("growing_files", GrowingFiles),
        one_of("authentication", Authentication),
        CheckConstraint("rehash_share BETWEEN 0 AND 1", name="rehash_share_is_a_share"),
        CheckConstraint("rehash_bytes >= 0", name="rehash_bytes_are_not_negative"),
        Index("uq_instruments_name", func.lower(name), unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_instruments_service_account_id", service_account_id),
    )


class Schedule(Identified, Dated, Deletable, Base):
    """A cron line (in the instrument's time zone) that harvests an instrument into a storage location."""

    __tablename__ = "schedules"

    instrument_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("instruments.id", ondelete="CASCADE"))
    default_storage_location_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("storage_locations.id"))
    cron_expression: Mapped[str]
    dagster_schedule_name: Mapped[str] = mapped_column(unique=True)
    enabled: Mapped[bool] = mapped_column(default=True)

    instrument: Mapped[Instrument] = relationship()
    default_storage_location: Mapped[StorageLocation] = relationship()

    __table_args__ = (
        Index("ix_schedules_instrument_id", instrument_id),
        Index("ix_schedules_default_storage_location_id", default_storage_location_id),
    )


class RequestStatus(StrEnum):
    """The state of a request."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class InstrumentRequest(Identified, Dated, Base):
    """A user's wish; an admin reviews it once."""

    __tablename__ = "instrument_requests"

    requester_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    location: Mapped[str | None]
    description: Mapped[str | None]
    justification: Mapped[str]
    status: Mapped[str] = mapped_column(default=RequestStatus.PENDING)
    note: Mapped[str | None] = mapped_column(comment="what the reviewer says about it")
    reviewed_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    reviewed_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("status", RequestStatus),
        CheckConstraint("(status = 'pending') = (reviewed_at IS NULL)", name="reviewed_once"),
        Index("ix_instrument_requests_requester_id", requester_id, "created_at", "id"),
        Index("ix_instrument_requests_status", status, "created_at", "id"),
        Index(
            "ix_instrument_requests_reviewed_by_id", reviewed_by_id, postgresql_where=text("reviewed_by_id IS NOT NULL")
        ),
    )
