"""Results reconsidered: what else was archived meanwhile can make a copy one that is not needed, or must not be."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import is_one_of
from streamweave.catalog.tables import LIVE, FileVersion, Transfer
from streamweave.harvest.copying import other_content
from streamweave.harvest.results import Archived, Failed, Result, Unchanged


def reconsidered(session: Session, results: Sequence[Result]) -> list[Result]:
    """The results as they hold at this moment. The caller holds the instrument's lock."""
    return _of_one_content(session, _without_repaired(session, results))


def _without_repaired(session: Session, results: Sequence[Result]) -> list[Result]:
    """A further copy of an earlier version is none when a repair has made that copy meanwhile, or is making it.

    Both publish to the same path, so that whichever comes second takes over the bytes of the first.
    """
    further = {each.holder for each in results if isinstance(each, Archived) and each.holder != each.claim.version_id}
    if not further:
        return list(results)
    rows = select(Transfer.version_id, Transfer.storage_location_id).where(
        is_one_of(Transfer.version_id, further), Transfer.status.in_(LIVE)
    )
    taken = {row._tuple() for row in session.connection().execute(rows)}
    return [
        Unchanged(each.claim, each.digest)
        if isinstance(each, Archived)
        and each.holder in further
        and (each.holder, each.claim.storage_location_id) in taken
        else each
        for each in results
    ]


def _of_one_content(session: Session, results: Sequence[Result]) -> list[Result]:
    """A copy is none when another run has archived its version with another content meanwhile, elsewhere."""
    version_ids = [each.claim.version_id for each in results if not isinstance(each, Failed)]
    rows = select(FileVersion.id, FileVersion.sha256).where(
        is_one_of(FileVersion.id, version_ids), FileVersion.sha256.is_not(None)
    )
    known = dict(session.connection().execute(rows).tuples().all())
    return [
        Failed(each.claim, other_content(each.claim))
        if not isinstance(each, Failed) and known.get(each.claim.version_id, each.digest.sha256) != each.digest.sha256
        else each
        for each in results
    ]
