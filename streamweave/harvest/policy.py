"""What the configuration says about an instrument's files at one moment: which hooks decide, and where versions go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    HookTrigger,
    Instrument,
    StorageLocation,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.files import DONE
from streamweave.harvest.claims import open_locations
from streamweave.hooks.base import PostTransferHook, PreTransferHook
from streamweave.hooks.calls import call_out
from streamweave.hooks.configuration import active_hooks, fingerprint, hooks_fingerprint, pre_hooks
from streamweave.hooks.external_hook import HookReach
from streamweave.instruments.schedules import destinations, why_no_destination


@dataclass(frozen=True)
class ActiveHooks:
    """The hooks of one trigger, as their rows are at one moment. The fingerprint changes when they do."""

    hooks: Sequence[PreTransferHook | PostTransferHook]
    hooks_fingerprint: str

    @property
    def calls_out(self) -> bool:
        """Whether any of the hooks calls out."""
        return call_out(self.hooks)


@dataclass(frozen=True)
class Policy(ActiveHooks):
    """Fingerprints show whether an earlier decision was made under the same hooks and for the same destinations."""

    hooks: Sequence[PreTransferHook]
    destinations: Sequence[StorageLocation]
    destinations_fingerprint: str
    locations: Mapping[str, StorageLocation]
    """Every enabled storage location by name: a hook may redirect to any."""
    why_no_destination: str = ""
    """Where there are no ``destinations``: the reason, as a sentence."""

    @property
    def calls_out(self) -> bool:
        """Whether a hook that calls out is asked about files: without a destination none is."""
        return bool(self.destinations) and call_out(self.hooks)

    def is_undecided(self, now: datetime) -> ColumnElement[bool]:
        """Over ``FileVersion`` joined to ``FileRecord``: under this policy something is to be decided for it now."""
        other_hooks = is_other(FileVersion.decided_hooks, self.hooks_fingerprint)
        other_destinations = and_(
            is_other(FileVersion.decided_destinations, self.destinations_fingerprint), ~FileVersion.redirected
        )
        is_done = FileVersion.state.in_(DONE)
        return and_(
            FileVersion.is_newest,
            ~waits_for_hooks(self.hooks_fingerprint, now),
            or_(
                FileVersion.state == VersionState.SETTLED,
                and_(FileVersion.state == VersionState.SKIPPED, other_hooks),
                and_(FileVersion.state == VersionState.PENDING, or_(other_hooks, other_destinations, _is_cut_off())),
                and_(is_done, other_destinations, FileRecord.gone_at.is_(None)),
            ),
        )


def is_other(column: InstrumentedAttribute[str | None], fingerprint: str) -> ColumnElement[bool]:
    """As ``is_distinct_from``, which no index can answer."""
    return or_(column.is_(None), column < fingerprint, column > fingerprint)


def _is_cut_off() -> ColumnElement[bool]:
    """Over ``FileVersion``: it waits for a storage location that has been disabled or deleted."""
    return exists().where(
        Transfer.version_id == FileVersion.id,
        Transfer.status == TransferStatus.PENDING,
        Transfer.storage_location_id.not_in(open_locations()),
    )


def waits_for_hooks(fingerprint: str, now: datetime) -> ColumnElement[bool]:
    """Over ``FileVersion``: one of these hooks has failed for it, and it is too early to ask again."""
    return and_(
        FileVersion.hook_retry_at.is_not(None),
        FileVersion.hook_retry_at > now,
        func.coalesce(FileVersion.failing_hooks, "") == fingerprint,
    )


def policy_for(session: Session, instrument: Instrument, reach: HookReach) -> Policy:
    """The policy that the rows of this moment make. Raises ``InvalidInput`` when a hook's row can't be used."""
    rows = active_hooks(session, instrument.id, HookTrigger.PRE_TRANSFER)
    hooks = pre_hooks(rows, reach)
    places = destinations(session, instrument.id)
    enabled = session.scalars(listing(StorageLocation).where(StorageLocation.enabled))
    return Policy(
        hooks=hooks,
        hooks_fingerprint=hooks_fingerprint(rows, hooks),
        destinations=places,
        destinations_fingerprint=fingerprint([{"location": str(place.id)} for place in places]),
        locations={location.name: location for location in enabled},
        why_no_destination="" if places else why_no_destination(session, instrument.id),
    )
