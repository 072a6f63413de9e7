"""What is asked about the runs of hooks that call out."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import HookRun
from streamweave.catalog.tables.hooks import FAILURES

_NEWEST = Order(HookRun.started_at, HookRun.id, newest_first=True)


def hook_runs(
    session: Session,
    request: PageRequest,
    *,
    hook_id: uuid.UUID | None = None,
    file_id: uuid.UUID | None = None,
    failed: bool = False,
) -> Page[HookRun]:
    """The runs, newest first: of one hook, about one file, or only those that failed."""
    query = select(HookRun).options(joinedload(HookRun.hook))
    if hook_id is not None:
        query = query.where(HookRun.hook_id == hook_id)
    if file_id is not None:
        query = query.where(HookRun.file_id == file_id)
    if failed:
        query = query.where(HookRun.outcome.in_(FAILURES))
    return page_of(session, query, _NEWEST, request, scope=f"{hook_id} {file_id} {failed}")
