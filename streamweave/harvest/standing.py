"""Where a version stands: what a harvest decides about it. Decisions are pure and make another standing of it."""

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple, Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import is_one_of, update_many
from streamweave.catalog.tables import FileVersion
from streamweave.hooks.recorded_hook import Waiting


class Standing(NamedTuple):
    """The part of a version's row that changes on its way. A tuple, because a harvest makes a few for each file."""

    id: uuid.UUID
    is_newest: bool
    state: str
    reason: str
    state_since: datetime
    failures: int
    retry_at: datetime | None
    archived_at: datetime | None
    unchanged_since: datetime
    observed_at: datetime
    xxhash: str | None
    sha256: str | None
    decided_hooks: str | None
    decided_destinations: str | None
    redirected: bool
    unfinished: str | None
    hook_failures: int
    failing_hook_id: uuid.UUID | None
    failing_hooks: str | None
    hook_retry_at: datetime | None

    @property
    def waiting(self) -> Waiting:
        """Whether, and until when, it waits for hooks."""
        return Waiting(self.hook_failures, self.failing_hook_id, self.failing_hooks, self.hook_retry_at)

    def entering(self, state: str, reason: str, now: datetime, **others: Any) -> Self:
        """The same version in ``state``, since now unless it was in it before, and with ``others`` changed."""
        since = self.state_since if state == self.state else now
        return self._replace(state=state, reason=reason, state_since=since, **others)


COLUMNS = [getattr(FileVersion, name) for name in Standing._fields]
"""As ``Standing`` takes them."""


def standings(session: Session, version_ids: Collection[uuid.UUID]) -> list[Standing]:
    """Where these versions stand."""
    rows = session.connection().execute(select(*COLUMNS).where(is_one_of(FileVersion.id, version_ids)))
    return [Standing._make(row) for row in rows.all()]


def write_standings(session: Session, steps: Iterable[tuple[Standing, Standing]]) -> None:
    """Write what differs between the standings before and after."""
    moved = [(before, after) for before, after in steps if before != after]
    if not moved:
        return
    columns_before, columns_after = (zip(*standings, strict=True) for standings in zip(*moved, strict=True))
    columns = zip(Standing._fields, columns_before, columns_after, strict=True)
    names = [name for name, before, after in columns if before != after]
    update_many(
        session, FileVersion, [{"id": after.id} | {name: getattr(after, name) for name in names} for _, after in moved]
    )
