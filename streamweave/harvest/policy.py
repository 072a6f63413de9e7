"""What the configuration says about an instrument's files at one moment: which hooks decide, and where versions go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    Hook,
    HookTrigger,
    Instrument,
    StorageLocation,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.file_versions import DONE
from streamweave.deletion import listing
from streamweave.harvest.claims import open_locations
from streamweave.hooks.base import PreTransferHook
from streamweave.hooks.configuration import active_hooks
from streamweave.hooks.registry import build_pre_hook
from streamweave.hooks.running import fingerprint
from streamweave.schedules.questions import destinations


@dataclass(frozen=True)
class Policy:
    """Fingerprints tell whether an earlier decision was made under the same hooks and for the same destinations."""

    hooks: Sequence[PreTransferHook]
    hooks_fingerprint: str
    destinations: Sequence[StorageLocation]
    destinations_fingerprint: str
    locations: Mapping[str, StorageLocation]
    """Every enabled storage location by name: a hook may redirect to any."""

    def is_undecided(self) -> ColumnElement[bool]:
        """Over ``FileVersion`` joined to ``FileRecord``: under this policy something is yet to be decided for it."""
        other_hooks = is_other(FileVersion.decided_hooks, self.hooks_fingerprint)
        other_destinations = and_(
            is_other(FileVersion.decided_destinations, self.destinations_fingerprint),
            ~FileVersion.redirected,
        )
        is_done = FileVersion.state.in_(DONE)
        return and_(
            FileVersion.is_newest,
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


def policy_for(session: Session, instrument: Instrument) -> Policy:
    """The policy that the rows of this moment make. Raises ``InvalidInput`` when a hook's row can't be used."""
    hooks = active_hooks(session, instrument.id, HookTrigger.PRE_TRANSFER)
    places = destinations(session, instrument.id)
    enabled = session.scalars(listing(StorageLocation).where(StorageLocation.enabled))
    return Policy(
        hooks=[build_pre_hook(hook.builtin_name, hook.config, name=hook.name) for hook in hooks],
        hooks_fingerprint=hooks_fingerprint(hooks),
        destinations=places,
        destinations_fingerprint=fingerprint([{"location": str(place.id)} for place in places]),
        locations={location.name: location for location in enabled},
    )


def hooks_fingerprint(hooks: Sequence[Hook]) -> str:
    """What these hooks, in this order, come down to."""
    return fingerprint([{"hook": hook.builtin_name, "config": hook.config} for hook in hooks])
