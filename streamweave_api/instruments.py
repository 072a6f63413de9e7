"""Instruments and their scans, for admins. Units are in the names; times are in UTC."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from litestar import Response, get, post
from litestar.exceptions import ClientException
from litestar.params import FromPath
from msgspec import UNSET, UnsetType

from streamweave.catalog.tables import Instrument
from streamweave.harvest.instrument_changes import update_instrument
from streamweave.harvest.share_guard import acknowledge_cleanup
from streamweave.instruments.connection_test import ShareAnswer, try_share
from streamweave.instruments.instruments import (
    create_instrument,
    delete_instrument,
    instrument_by_id,
    restore_instrument,
    scans_of,
)
from streamweave.instruments.schedules import destinations, why_no_destination
from streamweave_api.bodies import Incoming, Outgoing, shown
from streamweave_api.fixity import show_standing
from streamweave_api.openapi.answers import errors
from streamweave_api.pagination import PageAsked
from streamweave_api.resources import Resource, resource_router
from streamweave_api.service import TheService

CHANGE = """\
Change the fields that are given.

Another host, share or base path of an instrument that has files needs ``address_change``: without it the answer is 409,
with a sentence that says what either answer would do. So is it while a harvest of the instrument is under way.\
"""


class InstrumentFields(Incoming):
    """What is entered about an instrument. ``streamweave.instruments.fields`` has the rules of the fields."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    location: str | UnsetType | None = UNSET
    pid: str | UnsetType | None = UNSET
    cifs_host: str | UnsetType = UNSET
    cifs_port: int | UnsetType = UNSET
    cifs_share: str | UnsetType = UNSET
    cifs_base_path: str | UnsetType = UNSET
    service_account_id: UUID | UnsetType | None = UNSET
    require_encryption: bool | UnsetType = UNSET
    authentication: str | UnsetType = UNSET
    transfer_adapter: str | UnsetType = UNSET
    transfer_config: dict[str, Any] | UnsetType | None = UNSET
    timezone: str | UnsetType = UNSET
    first_acquisition_day: date | UnsetType = UNSET
    quiet_period_seconds: int | UnsetType = UNSET
    max_wait_seconds: int | UnsetType = UNSET
    probe_open_writer: bool | UnsetType = UNSET
    marker_suffix: str | UnsetType | None = UNSET
    shrink_threshold: float | UnsetType = UNSET
    poll_interval_seconds: int | UnsetType = UNSET
    max_attempts: int | UnsetType = UNSET
    retry_delay_seconds: int | UnsetType = UNSET
    silence_alert_after_seconds: int | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    acquisition_depth: int | UnsetType | None = UNSET
    marker_name: str | UnsetType | None = UNSET
    growing_files: str | UnsetType = UNSET
    rehash_share: float | UnsetType = UNSET
    rehash_bytes: int | UnsetType = UNSET


class InstrumentChanges(InstrumentFields):
    """Any of an instrument's fields that can be changed.

    ``address_change`` is needed where files are known and ``cifs_host``, ``cifs_share`` or ``cifs_base_path`` changes.
    ``same_files``: the known files are at the new address; their records, identifiers and history stay, and their
    source paths move. ``other_files``: other files are there; the known ones count as gone from the source.
    """

    address_change: str | UnsetType = UNSET


class NewInstrument(InstrumentFields, kw_only=True):
    """An instrument as it is entered. The slug is made from the name if it isn't given, and never changes."""

    name: str
    cifs_host: str
    cifs_share: str
    slug: str | UnsetType = UNSET


class InstrumentBody(Outgoing):
    """An instrument."""

    id: UUID
    slug: str
    name: str
    description: str | None
    location: str | None
    pid: str | None
    cifs_host: str
    cifs_port: int
    cifs_share: str
    cifs_base_path: str
    service_account_id: UUID | None
    require_encryption: bool
    authentication: str
    transfer_adapter: str
    transfer_config: dict[str, Any] | None
    timezone: str
    first_acquisition_day: date
    quiet_period_seconds: int
    max_wait_seconds: int
    probe_open_writer: bool
    marker_suffix: str | None
    shrink_threshold: float
    poll_interval_seconds: int
    max_attempts: int
    retry_delay_seconds: int
    silence_alert_after_seconds: int | None
    enabled: bool
    acquisition_depth: int | None
    marker_name: str | None
    growing_files: str
    rehash_share: float
    rehash_bytes: int
    cleanup_acknowledged_at: datetime | None
    last_harvested_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class ScanBody(Outgoing):
    """One scan of a share: its ``outcome``, and in ``error_kind`` and ``error_message`` why it failed.

    ``unreadable_folders`` counts the folders that could not be listed; ``folders_not_listed`` says of the
    first 1,000 of them, by name, why: what they hold was not seen.
    """

    id: UUID
    instrument_id: UUID
    dagster_run_id: str | None
    outcome: str
    error_kind: str | None
    error_message: str | None
    folders: int
    files: int
    bytes: int
    new_files: int
    changed_files: int
    gone_files: int
    unreadable_folders: int
    folders_not_listed: dict[str, str]
    acknowledged: bool
    started_at: datetime
    finished_at: datetime | None


class ShareAnswered(Outgoing, kw_only=True):
    """The share can be listed: files and folders that lie directly in its base folder."""

    ok: Literal[True] = True
    files: int
    folders: int
    seconds: float


class ShareRefused(Outgoing, kw_only=True):
    """The share can't be listed; ``error_kind`` is a word as scans have it, ``detail`` a sentence."""

    ok: Literal[False] = False
    error_kind: str
    detail: str


class HarvestStarted(Outgoing):
    """The run that was started."""

    run_id: str
    instrument_id: UUID


@post(
    "/{instrument_id:uuid}/test",
    sync_to_thread=True,
    status_code=200,
    summary="Test the connection to an instrument's share",
)
def test_instrument(service: TheService, instrument_id: FromPath[UUID]) -> ShareAnswered | ShareRefused:
    """List the base folder of the share now, and return the result."""
    instrument = service.read(instrument_by_id, instrument_id)
    answer = try_share(instrument, service.sealer)
    return shown(answer, ShareAnswered) if isinstance(answer, ShareAnswer) else shown(answer, ShareRefused)


@post(
    "/{instrument_id:uuid}/harvest",
    sync_to_thread=True,
    status_code=200,
    responses=errors(502),
    summary="Harvest an instrument now",
)
def harvest_instrument(service: TheService, instrument_id: FromPath[UUID]) -> HarvestStarted:
    """Harvest the instrument now, into everything that its enabled schedules name."""
    with service.reading() as session:
        instrument = instrument_by_id(session, instrument_id)
        problem = "" if destinations(session, instrument_id) else why_no_destination(session, instrument_id)
    if not instrument.enabled:
        raise ClientException("The instrument is disabled: enable it to harvest by hand")
    if problem:
        raise ClientException(f"Nothing can be harvested: {problem}")
    return HarvestStarted(run_id=service.dagster.launch_harvest(instrument.slug), instrument_id=instrument_id)


@post(
    "/{instrument_id:uuid}/acknowledge-cleanup",
    sync_to_thread=True,
    status_code=200,
    summary="Acknowledge that an instrument's share was cleaned up",
)
def acknowledge(service: TheService, instrument_id: FromPath[UUID]) -> InstrumentBody:
    """Accept the next scan that finds the share empty or shrunken: that one alone, within 24 hours.

    The missing files are then recorded as gone from the source; the archive keeps them.
    """
    return shown(service.write(acknowledge_cleanup, instrument_id), InstrumentBody)


@get("/{instrument_id:uuid}/scans", sync_to_thread=True, summary="List the scans of an instrument's share")
def list_scans(service: TheService, page: PageAsked, instrument_id: FromPath[UUID]) -> Response[list[ScanBody]]:
    """The scans of the instrument's share, newest first."""
    return page.response(service.read(scans_of, instrument_id, page), ScanBody)


instruments_router = resource_router(
    "/api/instruments",
    "Instruments",
    Resource(
        name="instrument",
        parameter="instrument_id",
        new=NewInstrument,
        changes=InstrumentChanges,
        body=InstrumentBody,
        table=Instrument,
        create=lambda _, session, values: create_instrument(session, values),
        update=lambda _, session, instrument_id, changes: update_instrument(session, instrument_id, changes),
        delete=delete_instrument,
        restore=lambda _, session, instrument_id: restore_instrument(session, instrument_id),
        in_dagster=True,
        change=CHANGE,
        deletion="Delete an instrument with its schedules and hooks; its files stay, and it can be restored.",
        restoration="Restore a deleted instrument, with the schedules and hooks that were deleted with it.",
    ),
    test_instrument,
    harvest_instrument,
    acknowledge,
    list_scans,
    show_standing,
)
