"""The beginning of a long list of which only some rows pass a filter.

Whether to walk the list in order until enough rows pass, or to begin with all that pass, is a guess for the planner. It
knows how many they are, but not where: looking for a month long ago, it would walk past everything that came since. So
the list is walked for a stretch only. What isn't found by then is found by the filter's own index, and sorted.
"""

import uuid
from dataclasses import replace
from typing import Any

from sqlalchemy import ARRAY, Select, Uuid, func, literal, select
from sqlalchemy.orm import Session

from streamweave.pages import Place

STRETCH = 10_000  # rows, which are walked in a few milliseconds

Ids = Select[tuple[uuid.UUID]]


def first_passing(
    session: Session, passing: Select[Any], whole: Select[Any], place: Place, *, walked: Select[Any] | None = None
) -> Ids:
    """The ids of the first rows of ``passing`` from ``place`` on.

    ``passing`` is ``whole``, which an index has in the place's order, with filters. ``walked`` is the same as
    ``passing``, in words that suit a walk, if others do.
    """
    ids = (passing if walked is None else walked).with_only_columns(place.order.id)
    horizon = _horizon(session, whole, place)
    if horizon is None:
        return place.applied(ids)
    found = session.scalars(place.applied(ids.where(place.order.before(horizon)))).all()
    if len(found) == place.limit:
        return select(func.unnest(literal(list(found), ARRAY(Uuid))))
    return first_of_every(passing, place)


def first_of_every(passing: Select[Any], place: Place) -> Ids:
    """The same, by collecting all that pass first."""
    keyed = passing.with_only_columns(place.order.id.label("id"), place.order.key.label("key"))
    return place.first_of(place.beyond(keyed).cte("every").prefix_with("MATERIALIZED"))


def _horizon(session: Session, whole: Select[Any], place: Place) -> Any:
    """The key at which the stretch ends; None when the list ends before that."""
    walked = replace(place, limit=1).applied(whole.with_only_columns(place.order.key))
    return session.scalar(walked.offset(STRETCH))
